//! Shows on a commit what came of its builds.
//!
//! A commit has one line for its branches, which keeps its name since people require it, and one for its git tags. Several
//! builds may be of one commit, and each asks for its line: what is told is what came of them all, whoever asks. So nothing
//! that was green turns red.

use super::JobError;
use crate::app::App;
use crate::db::{self, BuildState, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{CommitStatus, StatusState};
use crate::names::RefName;
use crate::sources;
use uuid::Uuid;

/// Builds may move on while we tell of them, here or in another job; each turn tells the newest.
const MOST_TURNS: usize = 5;

pub(super) async fn run(app: &App, build_id: Uuid) -> Result<(), JobError> {
    let Some(build) = db::builds::find(&app.db, build_id).await? else { return Ok(()) };
    let source = match build.source_id {
        Some(id) => db::sources::find(&app.db, id).await?,
        None => None,
    };
    let Some(source) = source else { return Ok(()) };
    let mut told = None;
    for _ in 0..MOST_TURNS {
        let Some(status) = status_of_commit(app, &build).await? else { return Ok(()) };
        if told.as_ref() == Some(&status) || !tell(app, &build, &source, &status).await? {
            return Ok(());
        }
        told = Some(status);
    }
    Ok(())
}

/// False when there is nobody to tell.
async fn tell(app: &App, build: &rows::Build, source: &rows::Source, status: &CommitStatus) -> Result<bool, JobError> {
    let link = match sources::link(app, source).await {
        Ok(link) => link,
        Err(Error::Forge(ForgeError::Revoked)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    match link.forge.set_status(&source.remote_id, &build.commit_hash, status).await {
        Ok(()) => Ok(true),
        // Commit or repository are gone, or only reading is allowed: the build itself is not harmed.
        Err(
            error @ (ForgeError::NotFound | ForgeError::Refused(_) | ForgeError::NotApproved | ForgeError::Revoked),
        ) => {
            let context = &status.context;
            tracing::info!(build.id = %build.id, "build {} is not shown as {context} on its commit: {error}", build.number);
            Ok(false)
        }
        Err(error) => Err(Error::from(error).into()),
    }
}

/// What the commit of `build` shall show for refs of its kind; `None` when the repository is gone.
async fn status_of_commit(app: &App, build: &rows::Build) -> Result<Option<CommitStatus>> {
    let Some(repository) = db::repositories::find(&app.db, build.repository_id).await? else { return Ok(None) };
    let Some(namespace) = db::namespaces::find(&app.db, repository.namespace_id).await? else { return Ok(None) };
    let of_tags = build.ref_name.parse::<RefName>().is_ok_and(|name| name.tag().is_some());
    let outcome = db::builds::outcome_of_commit(&app.db, repository.id, &build.commit_hash, of_tags).await?;
    let name = format!("{}/{}", namespace.name, repository.name);
    Ok(outcome.map(|build| status_of(app, &build, &name, of_tags)))
}

fn status_of(app: &App, build: &rows::Build, name: &str, of_tags: bool) -> CommitStatus {
    let detail = build.detail.clone().filter(|text| !text.is_empty());
    let (state, text) = match build.state {
        BuildState::Queued => (StatusState::Pending, "waiting for a builder".to_owned()),
        BuildState::Running => (StatusState::Pending, "building".to_owned()),
        BuildState::Succeeded => (StatusState::Success, "built, signed and ready".to_owned()),
        BuildState::PartlyFailed => {
            (StatusState::Failure, detail.unwrap_or_else(|| "some platforms failed".to_owned()))
        }
        BuildState::Failed => (StatusState::Failure, detail.unwrap_or_else(|| "the build failed".to_owned())),
        BuildState::TimedOut => (StatusState::Failure, detail.unwrap_or_else(|| "the build took too long".to_owned())),
        BuildState::Cancelled => (StatusState::Error, detail.unwrap_or_else(|| "cancelled".to_owned())),
        BuildState::Skipped => {
            (StatusState::Error, detail.map_or("not built".to_owned(), |why| format!("not built: {why}")))
        }
    };
    CommitStatus {
        state,
        context: if of_tags { format!("slipway/{name}/tag") } else { format!("slipway/{name}") },
        target_url: app.config.public_link(&format!("/{name}/-/builds/{}", build.number)),
        description: text,
    }
}
