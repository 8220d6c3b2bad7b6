//! Claims jobs and runs them until told to stop: a line for each lane, a few of a lane at once.

use super::lanes::LANES;
use super::{JobError, Task, perform};
use crate::app::App;
use crate::clock::{MINUTE, SECOND};
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
    if is_abandoned && job.attempts > MOST_ATTEMPTS {
        // It never came to an end: whatever ran it died.
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
    let tx = app.db.begin().await?;
    let is_ours = db::jobs::end(&tx, job, end, now).await?;
    tx.commit().await?;
    if !is_ours {
        tracing::warn!(job.id = %job.id, "job {} ended after another worker had taken it over", job.kind);
    }
    Ok(())
}

// 2 s, 4 s, … up to 15 minutes: about an hour for all tries.
fn backoff(attempts: i64) -> i64 {
    let doubled = SECOND << attempts.clamp(1, 10);
    doubled.min(15 * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::enqueue;
    use crate::testing::TestApp;
    use uuid::Uuid;

    crate::testing::on_postgres! {
        a_job_that_was_taken_over_is_ended_by_its_new_worker_only,
        what_gave_up_is_taken_up_again_and_what_failed_is_not,
        a_clock_that_was_set_back_stops_no_job,
    }

    async fn add(app: &App, task: &Task) {
        let tx = app.db.begin().await.unwrap();
        enqueue(app, &tx, task, None).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn state(app: &App, id: Uuid) -> String {
        db::jobs::find(&app.db, id).await.unwrap().unwrap().state.to_string()
    }

    fn away() -> Error {
        Error::Unavailable("the forge is away".into())
    }

    #[tokio::test]
    async fn a_lane_that_hangs_holds_no_other_up() {
        let app = TestApp::start().await;
        add(&app, &Task::SetCommitStatus { build_id: Uuid::now_v7() }).await;
        add(&app, &Task::SweepLeases).await;
        // Nobody works in the lane of the forge: its places are taken.
        assert!(claim(&app, Lane::Deliveries).await.unwrap().is_none());
        let sweep = claim(&app, Lane::Leases).await.unwrap().unwrap();
        work(&app, sweep).await.unwrap();
        assert!(claim(&app, Lane::Leases).await.unwrap().is_none());
        assert!(claim(&app, Lane::Forge).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_job_that_was_taken_over_is_ended_by_its_new_worker_only() {
        let app = TestApp::start().await;
        add(&app, &Task::SweepLeases).await;
        let first = claim(&app, Lane::Leases).await.unwrap().unwrap();
        assert!(claim(&app, Lane::Leases).await.unwrap().is_none());
        app.clock.advance(db::jobs::LEASE + SECOND);
        let second = claim(&app, Lane::Leases).await.unwrap().unwrap();
        assert!(second.is_abandoned);
        assert!(!extend(&app, &first.job).await.unwrap());
        finish(&app, &first.job, Ok(())).await.unwrap();
        assert_eq!(state(&app, first.job.id).await, "running");
        assert!(extend(&app, &second.job).await.unwrap());
        finish(&app, &second.job, Err(JobError::Retry(away()))).await.unwrap();
        assert_eq!(state(&app, first.job.id).await, "waiting");
        // The end of the first try comes late once more.
        finish(&app, &first.job, Ok(())).await.unwrap();
        assert_eq!(state(&app, first.job.id).await, "waiting");
    }

    #[tokio::test]
    async fn what_gave_up_is_taken_up_again_and_what_failed_is_not() {
        let app = TestApp::start().await;
        add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
        let mut tries = 0;
        let id = loop {
            let claimed = claim(&app, Lane::Upkeep).await.unwrap().unwrap();
            finish(&app, &claimed.job, Err(JobError::Retry(away()))).await.unwrap();
            tries += 1;
            app.clock.advance(20 * MINUTE);
            if state(&app, claimed.job.id).await != "waiting" {
                break claimed.job.id;
            }
        };
        assert_eq!((tries, state(&app, id).await.as_str()), (MOST_ATTEMPTS, "gave_up"));
        assert!(claim(&app, Lane::Upkeep).await.unwrap().is_none());
        perform(&app, &Task::TakeUp).await.unwrap();
        let again = claim(&app, Lane::Upkeep).await.unwrap().unwrap();
        assert!(again.job.id == id && !again.is_abandoned);
        finish(&app, &again.job, Err(JobError::Fail(away()))).await.unwrap();
        perform(&app, &Task::TakeUp).await.unwrap();
        assert_eq!(state(&app, id).await, "failed");
    }

    #[tokio::test]
    async fn a_job_that_kills_its_workers_is_not_taken_up_again() {
        let app = TestApp::start().await;
        add(&app, &Task::SweepLeases).await;
        for _ in 0..=MOST_ATTEMPTS {
            let claimed = claim(&app, Lane::Leases).await.unwrap().unwrap();
            if claimed.job.attempts > MOST_ATTEMPTS {
                let id = claimed.job.id;
                work(&app, claimed).await.unwrap();
                assert_eq!(state(&app, id).await, "failed");
                return;
            }
            app.clock.advance(db::jobs::LEASE + SECOND);
        }
        panic!("it was run for ever");
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_stops_no_job() {
        let app = TestApp::start().await;
        let right = app.clock.now();
        app.clock.set(right + 365 * crate::clock::DAY);
        add(&app, &Task::SweepLeases).await;
        add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
        let running = claim(&app, Lane::Upkeep).await.unwrap().unwrap();
        app.clock.set(right);
        assert!(claim(&app, Lane::Leases).await.unwrap().is_some(), "it waits for a year");
        let again = claim(&app, Lane::Upkeep).await.unwrap().expect("its lease lasts for a year");
        assert_eq!(again.job.id, running.job.id);
    }
}
