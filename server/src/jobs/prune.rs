//! Forgets ended sessions, sign-ins, uploads, deliveries and jobs: a few hundred rows a transaction, so that other
//! writers come in between.

use super::JobError;
use crate::app::App;
use crate::clock::DAY;
use crate::db::sources::deliveries;
use crate::db::{self, JobState, sessions};
use crate::error::{Parts, Result};

/// Of one transaction.
const AT_ONCE: u64 = 500;
/// Of deliveries: their bodies may be large.
const FEW: u64 = 50;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let mut parts = Parts::default();
    parts.note("forgetting sessions", forget_sessions(app).await);
    parts.note("forgetting jobs", forget_jobs(app).await);
    parts.note("forgetting deliveries", forget_deliveries(app).await);
    parts.note("forgetting uploads", crate::registry::uploads::forget_old(app).await);
    // A run whose job gave up goes on, once the database or the disk is back.
    parts.note("going on with signing", crate::trust::resume(app).await);
    app.limits.forget_quiet();
    Ok(parts.end()?)
}

async fn forget_sessions(app: &App) -> Result<()> {
    let now = app.clock.now();
    loop {
        let ended = sessions::ended(&app.db, now, AT_ONCE).await?;
        let sign_ins = sessions::ended_sign_ins(&app.db, now - DAY, AT_ONCE).await?;
        if ended.is_empty() && sign_ins.is_empty() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        sessions::forget(&tx, &ended, &sign_ins).await?;
        tx.commit().await?;
    }
}

/// What failed stays for a person to read. Done ones are of a version before: it kept them.
async fn forget_jobs(app: &App) -> Result<()> {
    let now = app.clock.now();
    let season = now - 90 * DAY;
    for (how, before) in [(JobState::Done, now), (JobState::Failed, season), (JobState::GaveUp, season)] {
        loop {
            let some = db::jobs::ended(&app.db, how, before, AT_ONCE).await?;
            if some.is_empty() {
                break;
            }
            let tx = app.db.begin().await?;
            db::jobs::forget(&tx, how, &some).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

async fn forget_deliveries(app: &App) -> Result<()> {
    let now = app.clock.now();
    let (week, season) = (now - 7 * DAY, now - 90 * DAY);
    loop {
        let full = deliveries::read_before(&app.db, week, FEW).await?;
        let old = deliveries::before(&app.db, season, FEW).await?;
        if full.is_empty() && old.is_empty() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        deliveries::empty(&tx, &full).await?;
        deliveries::forget(&tx, &old).await?;
        tx.commit().await?;
    }
}
