//! Jobs that are claimed, lost, tried again and given up.

use super::*;
use crate::db::Ask as _;
use crate::jobs::enqueue;
use crate::testing::TestApp;
use uuid::Uuid;

crate::testing::on_postgres! {
    a_job_that_was_taken_over_is_ended_by_its_new_worker_only,
    what_gave_up_is_taken_up_again_and_what_failed_is_not,
    a_clock_that_was_set_back_stops_no_job,
    what_was_taken_up_again_survives_a_restart,
    what_is_tried_again_is_there_once,
    what_is_asked_for_again_waits_no_longer_for_its_next_try,
    what_the_clock_brings_has_no_tries_of_its_own,
    a_small_repository_is_removed_while_a_large_one_is,
    a_lane_that_hangs_holds_no_other_up,
    a_job_that_gave_up_stays_so,
    what_gave_up_is_left_alone_after_a_month,
    a_job_that_kills_its_workers_is_not_taken_up_again,
    what_the_clock_brings_is_not_taken_up,
    what_is_asked_for_just_when_it_failed_is_there_once,
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
    add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
    let first = claim(&app, Lane::Logs).await.unwrap().unwrap();
    assert!(claim(&app, Lane::Logs).await.unwrap().is_none());
    app.clock.advance(db::jobs::LEASE + SECOND);
    let second = claim(&app, Lane::Logs).await.unwrap().unwrap();
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
async fn a_job_that_gave_up_stays_so() {
    let app = TestApp::start().await;
    add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
    let claimed = claim(&app, Lane::Logs).await.unwrap().unwrap();
    finish(&app, &claimed.job, Err(JobError::Fail(away()))).await.unwrap();
    finish(&app, &claimed.job, Err(JobError::Retry(away()))).await.unwrap();
    assert_eq!(state(&app, claimed.job.id).await, "failed");
}

#[tokio::test]
async fn what_gave_up_is_left_alone_after_a_month() {
    let app = TestApp::start().await;
    add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
    let job = claim(&app, Lane::Logs).await.unwrap().unwrap().job;
    let tx = app.db.begin().await.unwrap();
    assert!(db::jobs::end(&tx, &job, &End::GaveUp("it is away".into()), app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    app.clock.advance(31 * crate::clock::DAY);
    perform(&app, &Task::TakeUp).await.unwrap();
    assert_eq!(state(&app, job.id).await, "gave_up");
}

#[tokio::test]
async fn what_the_clock_brings_is_not_taken_up() {
    let app = TestApp::start().await;
    add(&app, &Task::Prune).await;
    // As the version before left it.
    let job = claim(&app, Lane::Upkeep).await.unwrap().unwrap().job;
    let tx = app.db.begin().await.unwrap();
    assert!(db::jobs::end(&tx, &job, &End::GaveUp("it is away".into()), app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    perform(&app, &Task::TakeUp).await.unwrap();
    assert_eq!(state(&app, job.id).await, "gave_up");
}

#[tokio::test]
async fn what_gave_up_is_taken_up_again_and_what_failed_is_not() {
    let app = TestApp::start().await;
    add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
    let mut tries = 0;
    let id = loop {
        let claimed = claim(&app, Lane::Logs).await.unwrap().unwrap();
        finish(&app, &claimed.job, Err(JobError::Retry(away()))).await.unwrap();
        tries += 1;
        app.clock.advance(20 * MINUTE);
        if state(&app, claimed.job.id).await != "waiting" {
            break claimed.job.id;
        }
    };
    assert_eq!((tries, state(&app, id).await.as_str()), (MOST_ATTEMPTS, "gave_up"));
    assert!(claim(&app, Lane::Logs).await.unwrap().is_none());
    perform(&app, &Task::TakeUp).await.unwrap();
    let again = claim(&app, Lane::Logs).await.unwrap().unwrap();
    assert!(again.job.id == id && !again.is_abandoned);
    finish(&app, &again.job, Err(JobError::Fail(away()))).await.unwrap();
    perform(&app, &Task::TakeUp).await.unwrap();
    assert_eq!(state(&app, id).await, "failed");
}

/// A job that used up its tries and was taken up again.
async fn taken_up(app: &App) -> Uuid {
    add(app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
    let id = loop {
        let claimed = claim(app, Lane::Logs).await.unwrap().unwrap();
        finish(app, &claimed.job, Err(JobError::Retry(away()))).await.unwrap();
        app.clock.advance(20 * MINUTE);
        if claimed.job.attempts == MOST_ATTEMPTS {
            break claimed.job.id;
        }
    };
    perform(app, &Task::TakeUp).await.unwrap();
    id
}

#[tokio::test]
async fn what_was_taken_up_again_survives_a_restart() {
    let app = TestApp::start().await;
    let id = taken_up(&app).await;
    let killed = claim(&app, Lane::Logs).await.unwrap().unwrap();
    assert_eq!(killed.job.id, id);
    app.clock.advance(db::jobs::LEASE + SECOND);
    let again = claim(&app, Lane::Logs).await.unwrap().unwrap();
    assert!(again.is_abandoned);
    work(&app, again).await.unwrap();
    assert!(db::jobs::find(&app.db, id).await.unwrap().is_none(), "it is done, and leaves no row");
}

fn status() -> (Task, Option<String>) {
    (Task::SetCommitStatus { build_id: Uuid::nil() }, Some("status".to_owned()))
}

async fn ask(app: &App, (task, key): (Task, Option<String>)) {
    let tx = app.db.begin().await.unwrap();
    enqueue(app, &tx, &task, key).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_tried_again_is_there_once() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        ask(&app, status()).await;
        let claimed = claim(&app, Lane::Forge).await.unwrap().unwrap();
        // While it runs it is asked for again: that run would see newer data.
        ask(&app, status()).await;
        assert_eq!(db::jobs::count_open(&app.db).await.unwrap(), 2);
        finish(&app, &claimed.job, Err(JobError::Retry(away()))).await.unwrap();
        assert_eq!(db::jobs::count_open(&app.db).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn what_is_asked_for_just_when_it_failed_is_there_once() {
    let app = TestApp::start().await;
    ask(&app, status()).await;
    let claimed = claim(&app, Lane::Forge).await.unwrap().unwrap();
    let (task, key) = status();
    let asking = app.db.begin().await.unwrap();
    enqueue(&app, &asking, &task, key).await.unwrap();
    let asked = async {
        // On SQLite one writer waits for the other from its beginning.
        if app.db.is_postgres() {
            app.db.until_somebody_waits().await;
        }
        asking.commit().await.unwrap();
    };
    let (finished, ()) = tokio::join!(finish(&app, &claimed.job, Err(JobError::Retry(away()))), asked);
    finished.unwrap();
    assert_eq!(db::jobs::count_open(&app.db).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_asked_for_again_waits_no_longer_for_its_next_try() {
    let app = TestApp::start().await;
    ask(&app, status()).await;
    let claimed = claim(&app, Lane::Forge).await.unwrap().unwrap();
    finish(&app, &claimed.job, Err(JobError::RetryAfter(away(), 3_000))).await.unwrap();
    assert!(claim(&app, Lane::Forge).await.unwrap().is_none());
    ask(&app, status()).await;
    let again = claim(&app, Lane::Forge).await.unwrap().unwrap();
    assert_eq!((again.job.id, again.job.attempts), (claimed.job.id, 2));
}

#[tokio::test]
async fn what_the_clock_brings_has_no_tries_of_its_own() {
    let app = TestApp::start().await;
    for result in [JobError::Retry(away()), JobError::Fail(away())] {
        add(&app, &Task::SweepObjects).await;
        let claimed = claim(&app, Lane::Upkeep).await.unwrap().unwrap();
        finish(&app, &claimed.job, Err(result)).await.unwrap();
        assert!(db::jobs::find(&app.db, claimed.job.id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_small_repository_is_removed_while_a_large_one_is() {
    let app = TestApp::start().await;
    let namespace = crate::testing::namespace("acme");
    let tx = app.db.begin().await.unwrap();
    db::namespaces::insert(&tx, namespace.clone()).await.unwrap();
    let mut both = Vec::new();
    for name in ["large", "small"] {
        let row = crate::testing::repository(namespace.id, name);
        both.push(db::repositories::insert(&tx, row).await.unwrap());
    }
    tx.commit().await.unwrap();
    crate::testing::add_tags(&app, both[0].id, 16_000, true).await;
    for row in &both {
        let tx = app.db.begin().await.unwrap();
        assert!(crate::registry::removal::begin(&app, &tx, row).await.unwrap());
        tx.commit().await.unwrap();
        app.clock.advance(1);
    }
    for _ in 0..2 {
        let next = claim(&app, Lane::Long).await.unwrap().unwrap();
        work(&app, next).await.unwrap();
        app.clock.advance(1);
    }
    let is_there = async |row: &rows::Repository| crate::registry::removal::find(&app, row.id).await.unwrap().is_some();
    assert_eq!((is_there(&both[0]).await, is_there(&both[1]).await), (true, false));
    while let Some(next) = claim(&app, Lane::Long).await.unwrap() {
        work(&app, next).await.unwrap();
    }
    assert!(!is_there(&both[0]).await);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_not_taken_up_again() {
    let app = TestApp::start().await;
    add(&app, &Task::SealLog { attempt_id: Uuid::now_v7() }).await;
    for _ in 0..=MOST_DEATHS {
        let claimed = claim(&app, Lane::Logs).await.unwrap().unwrap();
        if claimed.job.deaths == MOST_DEATHS {
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
    let running = claim(&app, Lane::Logs).await.unwrap().unwrap();
    app.clock.set(right);
    assert!(claim(&app, Lane::Leases).await.unwrap().is_some(), "it waits for a year");
    let again = claim(&app, Lane::Logs).await.unwrap().expect("its lease lasts for a year");
    assert_eq!(again.job.id, running.job.id);
}
