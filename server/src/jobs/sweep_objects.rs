//! Removes bytes that nobody names, and goes on with repositories whose removal was given up.

use super::JobError;
use crate::app::App;
use crate::registry::{objects, removal};

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    removal::go_on(app).await?;
    Ok(objects::sweep(app).await?)
}
