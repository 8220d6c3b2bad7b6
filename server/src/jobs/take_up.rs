//! Takes up again what gave up after its tries: a log that was not sealed, a status that was not told, a webhook that was
//! not made. Each hour gives one more try, for a month. And finds logs that no job is about to seal.

use super::{JobError, schedule};
use crate::app::App;
use crate::clock::DAY;
use crate::error::{Parts, Result};
use crate::{builds, db};
use uuid::Uuid;

/// Whatever is away for longer is for a person to look at.
const LONGEST: i64 = 30 * DAY;
/// Of one transaction.
const AT_ONCE: u64 = 500;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let mut parts = Parts::default();
    parts.note("taking up jobs", take_up(app).await);
    parts.note("looking for logs that are not sealed", builds::log::resume(app).await);
    Ok(parts.end()?)
}

async fn take_up(app: &App) -> Result<()> {
    let now = app.clock.now();
    // What comes by the clock is there again anyhow.
    let by_the_clock = schedule::kinds();
    let (mut taken_up, mut after) = (0, Uuid::nil());
    loop {
        let some = db::jobs::gave_up(&app.db, &by_the_clock, now - LONGEST, after, AT_ONCE).await?;
        let Some(last) = some.last() else { break };
        after = *last;
        let tx = app.db.begin().await?;
        taken_up += db::jobs::take_up(&tx, &some, now).await?;
        let wake = app.wake.clone();
        tx.on_commit(move || wake.jobs_added());
        tx.commit().await?;
    }
    if taken_up > 0 {
        tracing::info!("{taken_up} jobs that had given up are tried again");
    }
    Ok(())
}
