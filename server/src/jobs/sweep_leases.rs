//! Ends attempts whose builder is silent; their builds are queued again, once.

use super::JobError;
use crate::app::App;
use crate::builds;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    Ok(builds::lease::sweep(app).await?)
}
