//! Moves the log of an attempt that ended from rows into storage.

use super::JobError;
use crate::app::App;
use crate::builds;
use uuid::Uuid;

pub(super) async fn run(app: &App, attempt_id: Uuid) -> Result<(), JobError> {
    Ok(builds::log::seal(app, attempt_id).await?)
}
