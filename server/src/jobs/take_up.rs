//! Takes up again what gave up after its tries: a log that was not sealed, a status that was not told, a webhook that was
//! not made. Each hour gives one more try, for a month.

use super::JobError;
use crate::app::App;
use crate::clock::DAY;
use crate::db;

/// Whatever is away for longer is for a person to look at.
const LONGEST: i64 = 30 * DAY;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let taken_up = db::jobs::take_up(&tx, now - LONGEST, now).await?;
    let wake = app.wake.clone();
    tx.on_commit(move || wake.jobs_added());
    tx.commit().await?;
    if taken_up > 0 {
        tracing::info!("{taken_up} jobs that had given up are tried again");
    }
    Ok(())
}
