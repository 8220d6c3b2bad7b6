//! Removes bytes that nobody names, and goes on with repositories whose removal was given up.

use super::JobError;
use crate::app::App;
use crate::error::Parts;
use crate::registry::{objects, removal};

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let mut parts = Parts::default();
    parts.note("going on with removals", removal::go_on(app).await);
    parts.note("removing bytes", objects::sweep(app).await);
    Ok(parts.end()?)
}
