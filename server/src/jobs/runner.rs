//! Claims jobs and runs them, a few at once, until told to stop.

use super::{JobError, Task, perform};
use crate::app::App;
use crate::clock::{MINUTE, SECOND};
use crate::db::{self, rows};
use crate::error::{Context, Error, Result};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const WORKERS: usize = 4;
/// A job whose worker is gone is claimed again after this long; a running one keeps its lease.
const LEASE: i64 = 2 * MINUTE;
/// Tries before a person has to look.
const MOST_ATTEMPTS: i64 = 12;

/// Runs until `stop` turns true; a job in flight ends first.
pub async fn run(app: Arc<App>, stop: watch::Receiver<bool>) {
    let workers = (0..WORKERS).map(|_| tokio::spawn(work(app.clone(), stop.clone())));
    futures_util::future::join_all(workers).await;
}

async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match step(&app).await {
            Ok(true) => {}
            Ok(false) => {
                tokio::select! {
                    () = app.wake.jobs.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    _ = stop.changed() => {}
                }
            }
            Err(error) => {
                tracing::error!("the job runner failed: {}", error.for_log());
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
}

/// Runs one due job; false when there is none.
async fn step(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let claimed = db::jobs::claim_next(&tx, now, now + LEASE).await?;
    tx.commit().await?;
    let Some(job) = claimed else { return Ok(false) };
    if job.attempts > MOST_ATTEMPTS {
        // It never came to an end: whatever ran it died.
        let gave_up = Error::internal("a job", "its workers died".to_owned());
        finish(app, &job, Err(JobError::Fail(gave_up))).await?;
        return Ok(true);
    }
    let result = match serde_json::from_str::<Task>(&job.payload).context("reading a job") {
        Ok(task) => {
            let work = AssertUnwindSafe(Box::pin(perform(app, &task))).catch_unwind();
            let panicked = |_| Err(JobError::Retry(Error::internal("a job", "it panicked".to_owned())));
            keeping_lease(app, &job, work).await.unwrap_or_else(panicked)
        }
        Err(error) => Err(JobError::Fail(error)),
    };
    finish(app, &job, result).await?;
    Ok(true)
}

async fn keeping_lease<T>(app: &App, job: &rows::Job, work: impl Future<Output = T>) -> T {
    // Beside the work, never instead of it: the work may hold the one writer connection that the lease waits for.
    tokio::select! {
        done = work => done,
        never = keep_lease(app, job) => match never {},
    }
}

async fn keep_lease(app: &App, job: &rows::Job) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        if let Err(error) = extend(app, job).await {
            tracing::warn!(job.id = %job.id, "the lease of a job was not extended: {}", error.for_log());
        }
    }
}

async fn extend(app: &App, job: &rows::Job) -> Result<()> {
    let tx = app.db.begin().await?;
    db::jobs::extend(&tx, job.id, app.clock.now() + LEASE).await?;
    tx.commit().await
}

async fn finish(app: &App, job: &rows::Job, result: Result<(), JobError>) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    match result {
        Ok(()) => db::jobs::finish(&tx, job.id, now).await?,
        Err(JobError::Fail(error)) => {
            tracing::warn!(job.id = %job.id, job.kind = job.kind, "job {} gave up: {}", job.kind, error.for_log());
            db::jobs::fail(&tx, job.id, error.for_log(), now).await?;
        }
        Err(JobError::Retry(error) | JobError::RetryAfter(error, _)) if job.attempts >= MOST_ATTEMPTS => {
            tracing::error!(job.id = %job.id, job.kind = job.kind, "job {} failed for good: {}", job.kind, error.for_log());
            db::jobs::fail(&tx, job.id, error.for_log(), now).await?;
        }
        Err(JobError::RetryAfter(error, secs)) => {
            let wait = i64::try_from(secs).unwrap_or(60).clamp(1, 3_600) * SECOND;
            db::jobs::retry(&tx, job.id, error.for_log(), now + wait).await?;
        }
        Err(JobError::Retry(error)) => {
            tracing::info!(job.id = %job.id, job.kind = job.kind, "job {} will be tried again: {}", job.kind, error.for_log());
            db::jobs::retry(&tx, job.id, error.for_log(), now + backoff(job.attempts)).await?;
        }
    }
    tx.commit().await
}

// 2 s, 4 s, … up to 15 minutes: about an hour for all tries.
fn backoff(attempts: i64) -> i64 {
    let doubled = SECOND << attempts.clamp(1, 10);
    doubled.min(15 * MINUTE)
}
