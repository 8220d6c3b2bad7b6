//! Whether the Dockerfile of a rule is where the rule says. Nobody is kept from naming one that a later push brings.

use super::{dockerfiles, link, of_repository, rule_of_repository};
use crate::app::App;
use crate::error::{Error, Result};
use crate::forge::{self, Tree};
use crate::policy::{AdministerRepository, Allowed};
use std::time::Duration;

/// For the forge, while an admin waits.
const WAIT: Duration = Duration::from_secs(10);

/// A file that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub dockerfile: String,
    /// Where it was looked for.
    pub branch: String,
    /// Dockerfiles that are there.
    pub found: Vec<String>,
}

/// The Dockerfile that a repository is built from, when the forge says that its default branch has no such file; `None`
/// also when the forge says nothing.
pub async fn missing_dockerfile(app: &App, allowed: &Allowed<AdministerRepository>) -> Result<Option<Missing>> {
    let id = allowed.on().id;
    let (Some(source), Some(rule)) = (of_repository(app, id).await?, rule_of_repository(app, id).await?) else {
        return Ok(None);
    };
    let asking = async {
        let link = link(app, &source).await?;
        Ok(link.forge.tree(&source.remote_id, &source.default_branch).await?)
    };
    let Tree { files, is_complete } = match forge::within(WAIT, asking).await {
        Ok(tree) => tree,
        Err(Error::Forge(_) | Error::Unavailable(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_complete || files.contains(&rule.dockerfile) {
        return Ok(None);
    }
    let found = dockerfiles::find(&files);
    Ok(Some(Missing { dockerfile: rule.dockerfile, branch: source.default_branch, found }))
}
