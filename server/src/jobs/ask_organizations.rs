//! Asks the forge once a day who is still in the organisations that rights rest on.

use super::JobError;
use crate::accounts::memberships;
use crate::app::App;

/// Queues one job for each organisation that is due.
pub(super) async fn run(app: &App) -> Result<(), JobError> {
    Ok(memberships::ask_due(app).await?)
}

/// What one forge does not say today it may say tomorrow: a look is not repeated before.
pub(super) async fn run_one(app: &App, forge_url: &str, organization_id: &str) -> Result<(), JobError> {
    Ok(memberships::look(app, forge_url, organization_id).await?)
}
