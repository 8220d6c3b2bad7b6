//! Shows a build's state on the commit that caused it.

use super::JobError;
use crate::app::App;
use crate::db::{self, BuildState, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{CommitStatus, StatusState};
use crate::sources;
use uuid::Uuid;

/// A build may move on while we tell of it; each turn tells the newest.
const MOST_TURNS: usize = 5;

pub(super) async fn run(app: &App, build_id: Uuid) -> Result<(), JobError> {
    let mut told = None;
    for _ in 0..MOST_TURNS {
        let Some(build) = db::builds::find(&app.db, build_id).await? else { return Ok(()) };
        if told == Some(build.state) {
            return Ok(());
        }
        told = Some(build.state);
        if !tell(app, &build).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// False when there is nobody to tell.
async fn tell(app: &App, build: &rows::Build) -> Result<bool, JobError> {
    let source = match build.source_id {
        Some(id) => db::sources::find(&app.db, id).await?,
        None => None,
    };
    let (Some(source), Some(name)) = (source, repository_of(app, build).await?) else { return Ok(false) };
    let link = match sources::link(app, &source).await {
        Ok(link) => link,
        Err(Error::Forge(ForgeError::Revoked)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let status = status_of(app, build, &name);
    match link.forge.set_status(&source.remote_id, &build.commit_hash, &status).await {
        Ok(()) => Ok(true),
        // Commit or repository are gone, or only reading is allowed: the build itself is not harmed.
        Err(
            error @ (ForgeError::NotFound | ForgeError::Refused(_) | ForgeError::NotApproved | ForgeError::Revoked),
        ) => {
            tracing::info!(build.id = %build.id, "build {} of {name} is not shown on its commit: {error}", build.number);
            Ok(false)
        }
        Err(error) => Err(Error::from(error).into()),
    }
}

async fn repository_of(app: &App, build: &rows::Build) -> Result<Option<String>> {
    let Some(repository) = db::repositories::find(&app.db, build.repository_id).await? else { return Ok(None) };
    let namespace = db::namespaces::find(&app.db, repository.namespace_id).await?;
    Ok(namespace.map(|namespace| format!("{}/{}", namespace.name, repository.name)))
}

fn status_of(app: &App, build: &rows::Build, name: &str) -> CommitStatus {
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
        BuildState::Skipped => (StatusState::Error, detail.unwrap_or_else(|| "not built".to_owned())),
    };
    CommitStatus {
        state,
        context: format!("slipway/{name}"),
        target_url: app.config.public_link(&format!("/{name}/-/builds/{}", build.number)),
        description: text,
    }
}
