//! `/new/import`: the person's code repositories, each one click from a build.

use super::facts::When;
use super::layout::{Layout, Pages};
use super::{facts, filters, import};
use askama::Template;

/// `/new/import?q=&page=`.
#[derive(Template)]
#[template(path = "import/show.html")]
pub struct Import {
    pub layout: Layout,
    /// `GitHub`; decides the icon.
    pub forge: String,
    /// Whose repositories these are, the login at the forge.
    pub account: String,
    pub state: ImportState,
    pub rows: Vec<ImportRow>,
    /// All that match, over all pages.
    pub total: u64,
    pub query: String,
    pub pages: Pages,
    /// Organisations that have not approved the application, as far as they are known.
    pub unapproved: Vec<String>,
    /// Where members ask their organisations for approval, at the forge.
    pub approval_url: Option<String>,
    /// Why no build will start here: the server has no builder.
    pub no_builder: Option<String>,
    /// What the pressed Build could not do (status 422).
    pub error: Option<String>,
    /// Asks the forge for consent again, or for the first time: `/login/github?import=1`.
    pub connect_url: String,
    /// The forge cannot be asked for fewer rights (an OAuth App): the page says what `repo` and `read:org` are for.
    pub broad_scopes: bool,
}

impl Import {
    pub fn refresh_url(&self) -> String {
        self.pages.url.replacen("/new/import", "/new/import/refresh", 1)
    }
}

/// How fresh the list is.
#[derive(Debug, Clone)]
pub enum ImportState {
    /// Signed in without the right to list repositories.
    NotConnected,
    /// Being fetched; so many are here.
    Listing {
        found: u64,
    },
    Ready {
        at: When,
    },
    /// The forge refuses the token that we have.
    Revoked,
    /// The forge did not give the list; the one that is shown is as old as this.
    Failed {
        at: Option<When>,
        reason: String,
    },
}

impl ImportState {
    /// The age of the list that is shown, when the forge may be asked again.
    pub fn may_refresh(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Failed { .. })
    }

    /// What is shown is what the forge says.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    pub fn is_listing(&self) -> bool {
        matches!(self, Self::Listing { .. })
    }

    /// The list may be shown and built from.
    pub fn has_list(&self) -> bool {
        !matches!(self, Self::NotConnected | Self::Revoked)
    }
}

/// One code repository.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The forge's id; the form sends it as `repository`.
    pub id: String,
    pub full_name: String,
    pub url: String,
    pub private: bool,
    pub pushed: Option<When>,
    /// Where the image will be, `mona/hello`.
    pub target: String,
    pub state: ImportRowState,
}

#[derive(Debug, Clone)]
pub enum ImportRowState {
    /// Dockerfiles are being looked for; building is possible, the root's `Dockerfile` is taken.
    Looking,
    /// Paths, the one that will be built first. The form sends `dockerfile`.
    Found {
        dockerfiles: Vec<String>,
    },
    NoDockerfile,
    /// Connected before; the Dockerfiles that fill no repository yet are what else can be built.
    Imported {
        repositories: Vec<Filled>,
        others: Vec<String>,
    },
    /// It cannot be built by this person: why.
    Blocked {
        reason: String,
    },
}

/// A repository that a Dockerfile of the row fills.
#[derive(Debug, Clone)]
pub struct Filled {
    /// `mona/hello`.
    pub name: String,
    pub dockerfile: String,
}
