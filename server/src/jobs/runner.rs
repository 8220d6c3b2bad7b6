//! Claims jobs and runs them until told to stop: a line for each lane, a few of a lane at once.

use super::lanes::LANES;
use super::{JobError, Task, perform, schedule};
use crate::app::App;
use crate::clock::{MINUTE, Millis, SECOND};
use crate::db::jobs::{Claimed, End};
use crate::db::{self, Lane, rows};
use crate::error::{Context, Error, Result};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Tries before the hourly look takes it up again.
const MOST_ATTEMPTS: i64 = 12;
/// Runs in a row that came to no end, because whatever ran the job died.
const MOST_DEATHS: i64 = 12;

/// Runs until `stop` turns true; jobs in flight end first.
pub async fn run(app: Arc<App>, stop: watch::Receiver<bool>) {
    let lanes = LANES.iter().map(|(lane, places)| tokio::spawn(serve(app.clone(), *lane, *places, stop.clone())));
    futures_util::future::join_all(lanes).await;
}

/// Works off one lane.
async fn serve(app: Arc<App>, lane: Lane, places: usize, mut stop: watch::Receiver<bool>) {
    let free = Arc::new(Semaphore::new(places));
    let mut added = app.wake.follow_jobs();
    while !*stop.borrow() {
        let Ok(place) = free.clone().acquire_owned().await else { break };
        added.borrow_and_update();
        match claim(&app, lane).await {
            Ok(Some(claimed)) => {
                let app = app.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = work(&app, claimed).await {
                        tracing::error!("the job runner failed: {}", error.for_log());
                    }
                });
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!("the job runner failed: {}", error.for_log());
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        drop(place);
        tokio::select! {
            _ = added.changed() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = stop.changed() => {}
        }
    }
    // All places are free when the last job has ended.
    let places = u32::try_from(places).expect("places are few");
    drop(free.acquire_many(places).await);
}

async fn claim(app: &App, lane: Lane) -> Result<Option<Claimed>> {
    let now = app.clock.now();
    // Most of the time nothing is due, and the look needs no writer.
    if !db::jobs::is_due(&app.db, lane, now).await? {
        return Ok(None);
    }
    let tx = app.db.begin().await?;
    let claimed = db::jobs::claim_next(&tx, lane, now).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Runs a job that was claimed.
async fn work(app: &App, claimed: Claimed) -> Result<()> {
    let Claimed { job, is_abandoned } = claimed;
    // Tries say nothing of this: what was taken up again has had many, and a restart must not end it for good.
    if is_abandoned && job.deaths >= MOST_DEATHS {
        let died = Error::internal("a job", "its workers died".to_owned());
        return finish(app, &job, Err(JobError::Fail(died))).await;
    }
    let result = match serde_json::from_str::<Task>(&job.payload).context("reading a job") {
        Ok(task) => {
            let work = AssertUnwindSafe(Box::pin(perform(app, &task))).catch_unwind();
            let panicked = |_| Err(JobError::Retry(Error::internal("a job", "it panicked".to_owned())));
            match keeping_lease(app, &job, work).await {
                Some(done) => done.unwrap_or_else(panicked),
                None => return Ok(()),
            }
        }
        Err(error) => Err(JobError::Fail(error)),
    };
    finish(app, &job, result).await
}

/// `None` when the lease was lost: another worker does the work, and this one stops in the middle.
async fn keeping_lease<T>(app: &App, job: &rows::Job, work: impl Future<Output = T>) -> Option<T> {
    // Beside the work, never instead of it: the work may hold the one writer connection that the lease waits for.
    tokio::select! {
        done = work => Some(done),
        () = keep_lease(app, job) => {
            tracing::warn!(job.id = %job.id, "job {} lost its lease to another worker", job.kind);
            None
        }
    }
}

/// Ends when the lease is lost.
async fn keep_lease(app: &App, job: &rows::Job) {
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        match extend(app, job).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(job.id = %job.id, "the lease of a job was not extended: {}", error.for_log());
            }
        }
    }
}

async fn extend(app: &App, job: &rows::Job) -> Result<bool> {
    let tx = app.db.begin().await?;
    let is_ours = db::jobs::extend(&tx, job, app.clock.now()).await?;
    tx.commit().await?;
    Ok(is_ours)
}

async fn finish(app: &App, job: &rows::Job, result: Result<(), JobError>) -> Result<()> {
    let now = app.clock.now();
    let end = match result {
        Ok(()) => End::Done,
        // The clock brings it again, and soon: tries of its own would pile up beside those, and a pause of theirs would
        // keep the next one from coming.
        Err(JobError::Fail(error) | JobError::Retry(error) | JobError::RetryAfter(error, _))
            if schedule::brings(&job.kind) =>
        {
            tracing::error!(job.id = %job.id, job.kind = job.kind, "job {} failed, until its next turn: {}", job.kind, error.for_log());
            End::Done
        }
        Err(JobError::Fail(error)) => {
            tracing::warn!(job.id = %job.id, job.kind = job.kind, "job {} failed: {}", job.kind, error.for_log());
            End::Failed(error.for_log())
        }
        Err(JobError::Retry(error) | JobError::RetryAfter(error, _)) if job.attempts >= MOST_ATTEMPTS => {
            tracing::error!(job.id = %job.id, job.kind = job.kind, "job {} gave up: {}", job.kind, error.for_log());
            End::GaveUp(error.for_log())
        }
        Err(JobError::RetryAfter(error, secs)) => {
            let wait = i64::try_from(secs).unwrap_or(60).clamp(1, 3_600) * SECOND;
            End::Retry(error.for_log(), now + wait)
        }
        Err(JobError::Retry(error)) => {
            tracing::info!(job.id = %job.id, job.kind = job.kind, "job {} will be tried again: {}", job.kind, error.for_log());
            End::Retry(error.for_log(), now + backoff(job.attempts))
        }
    };
    let is_ours = match write_end(app, job, &end, now).await {
        // The same work was asked for between look and write.
        Err(Error::Conflict(_)) => write_end(app, job, &end, now).await?,
        other => other?,
    };
    if !is_ours {
        tracing::warn!(job.id = %job.id, "job {} ended after another worker had taken it over", job.kind);
    }
    Ok(())
}

async fn write_end(app: &App, job: &rows::Job, end: &End, now: Millis) -> Result<bool> {
    let tx = app.db.begin().await?;
    let is_ours = db::jobs::end(&tx, job, end, now).await?;
    tx.commit().await?;
    Ok(is_ours)
}

// 2 s, 4 s, … up to 15 minutes: about an hour for all tries.
fn backoff(attempts: i64) -> i64 {
    let doubled = SECOND << attempts.clamp(1, 10);
    doubled.min(15 * MINUTE)
}

#[cfg(test)]
mod tests;
