//! Compares the refs of sources with their forges.

use super::JobError;
use crate::app::App;
use crate::db;
use crate::sources::polling;
use uuid::Uuid;

pub(super) async fn run(app: &App, source_id: Uuid) -> Result<(), JobError> {
    let Some(source) = db::sources::find(&app.db, source_id).await? else { return Ok(()) };
    Ok(polling::poll(app, &source).await?)
}

pub(super) async fn run_due(app: &App) -> Result<(), JobError> {
    Ok(polling::poll_due(app).await?)
}

pub(super) async fn reconcile(app: &App) -> Result<(), JobError> {
    let tx = app.db.begin().await?;
    db::sources::forget_polls(&tx).await?;
    Ok(tx.commit().await?)
}
