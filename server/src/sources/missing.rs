//! Whether the Dockerfile and the context folder of a rule are where the rule says. Nobody is kept from naming what a later
//! push brings.

use super::{dockerfiles, link, of_repository, rule_of_repository};
use crate::app::App;
use crate::error::{Error, Result};
use crate::forge::{self, Tree};
use crate::policy::{AdministerRepository, Allowed};
use std::time::Duration;

/// For the forge, while an admin waits.
const WAIT: Duration = Duration::from_secs(10);

/// What is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    Dockerfile {
        path: String,
        /// Dockerfiles that are there.
        found: Vec<String>,
    },
    Context {
        folder: String,
    },
}

/// What a repository is built from, when the forge says that its default branch has no such file or folder, and that branch;
/// `None` also when the forge says nothing.
pub async fn missing(app: &App, allowed: &Allowed<AdministerRepository>) -> Result<Option<(Missing, String)>> {
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
    let missing = of(&files, rule.dockerfile, rule.context).filter(|_| is_complete);
    Ok(missing.map(|missing| (missing, source.default_branch)))
}

fn of(files: &[String], dockerfile: String, context: String) -> Option<Missing> {
    if !files.contains(&dockerfile) {
        return Some(Missing::Dockerfile { path: dockerfile, found: dockerfiles::find(files) });
    }
    // One that is listed as a file may be a link to a folder.
    let holds =
        |file: &String| file.strip_prefix(&context).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_there = context.is_empty() || files.iter().any(holds);
    (!is_there).then_some(Missing::Context { folder: context })
}
