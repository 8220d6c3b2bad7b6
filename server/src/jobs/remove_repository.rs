//! Removes a repository that was deleted: its builds first, so that no builder works for it, then its sources, then
//! what it held. Each step may be done already.

use super::JobError;
use crate::app::App;
use crate::registry::removal;
use crate::{builds, sources};
use uuid::Uuid;

pub(super) async fn run(app: &App, repository_id: Uuid) -> Result<(), JobError> {
    if removal::find(app, repository_id).await?.is_none() {
        return Ok(());
    }
    builds::removal::end(app, repository_id).await?;
    builds::removal::remove(app, repository_id).await?;
    sources::forget_repository(app, repository_id).await?;
    removal::content(app, repository_id).await?;
    Ok(removal::end(app, repository_id).await?)
}
