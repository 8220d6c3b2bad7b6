//! What a viewer may know of the code behind a build.

use super::present;
use super::views::facts::Commit;
use crate::app::App;
use crate::builds::log::Conceal;
use crate::db::rows;
use crate::error::Result;
use crate::policy::{Principal, RepositoryAccess};
use crate::sources;

/// In place of what stays untold.
pub const UNTOLD: &str = "Private source";

/// The source of a build; private code is told to few.
pub struct Origin {
    pub source: Option<rows::Source>,
    /// Set when name, title and author are not for this viewer.
    pub conceal: Option<Conceal>,
}

impl Origin {
    pub async fn of(app: &App, principal: &Principal, on: &RepositoryAccess, build: &rows::Build) -> Result<Self> {
        let source = sources::of_build(app, build).await?;
        let may_read = sources::may_read(app, principal, on, source.as_ref()).await?;
        let conceal = (!may_read).then(|| Conceal::of(build, source.as_ref()));
        Ok(Self { source, conceal })
    }

    /// The source, if its name may be told.
    pub fn named(&self) -> Option<&rows::Source> {
        self.source.as_ref().filter(|_| self.conceal.is_none())
    }

    /// The first line of the commit's message.
    pub fn title(&self, build: &rows::Build) -> String {
        if self.conceal.is_some() { UNTOLD.to_owned() } else { build.commit_title.clone() }
    }

    /// The commit, with its page at the forge.
    pub fn commit(&self, build: &rows::Build) -> Commit {
        let commit = present::commit(build, self.named());
        if self.conceal.is_some() { Commit { hash: commit.short().to_owned(), url: None } } else { commit }
    }

    /// The person who caused the build.
    pub async fn actor(&self, app: &App, build: &rows::Build) -> Result<Option<String>> {
        let author = Some(build.commit_author.clone()).filter(|a| !a.is_empty() && self.conceal.is_none());
        Ok(present::pusher(app, build).await?.or(author))
    }

    /// A sentence about the build, without the code's address.
    pub fn told(&self, mut text: String) -> String {
        self.conceal.iter().for_each(|c| c.told(&mut text));
        text
    }
}
