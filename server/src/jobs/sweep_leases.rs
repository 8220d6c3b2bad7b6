//! Ends attempts whose builder is silent; their builds are queued again, once. And gives builds their namespace that a
//! server of the version before made meanwhile: without it they are never handed out.

use super::JobError;
use crate::app::App;
use crate::builds;
use crate::error::Parts;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let mut parts = Parts::default();
    parts.note("ending silent attempts", builds::lease::sweep(app).await);
    parts.note("giving builds their namespace", builds::queue::adopt(app).await);
    Ok(parts.end()?)
}
