//! The table of jobs, on a real database.

use super::*;
use crate::clock::DAY;
use crate::db::{JobState, Lane};
use crate::testing::TestApp;

crate::testing::on_postgres! {
    jobs_that_ended_long_ago_are_forgotten_however_they_ended,
    what_cannot_be_forgotten_keeps_no_job,
}

/// A job that ended so, as the version before left it.
async fn ended(app: &App, tx: &Tx, how: JobState, at: i64) -> Uuid {
    enqueue(app, tx, &Task::SweepLeases, None).await.unwrap();
    let claimed = db::jobs::claim_next(tx, Lane::Leases, app.clock.now() + 1_000).await.unwrap().unwrap();
    db::jobs::force(tx, claimed.job.id, how, at).await;
    claimed.job.id
}

#[tokio::test]
async fn jobs_that_ended_long_ago_are_forgotten_however_they_ended() {
    let app = TestApp::start().await;
    let now = app.clock.now();
    let tx = app.db.begin().await.unwrap();
    let mut all = Vec::new();
    for days in [1, 8, 91] {
        for how in [JobState::Done, JobState::Failed, JobState::GaveUp] {
            all.push((days, how, ended(&app, &tx, how, now - days * DAY).await));
        }
    }
    tx.commit().await.unwrap();
    perform(&app, &Task::Prune).await.unwrap();
    for (days, how, id) in all {
        let stays = how != JobState::Done && days < 90;
        assert_eq!(db::jobs::find(&app.db, id).await.unwrap().is_some(), stays, "{how}, {days} days ago");
    }
}

#[tokio::test]
async fn what_cannot_be_forgotten_keeps_no_job() {
    let app = TestApp::start().await;
    let tx = app.db.begin().await.unwrap();
    let id = ended(&app, &tx, JobState::Done, 1).await;
    tx.commit().await.unwrap();
    db::connect::execute(&app.db, "DROP TABLE sign_in").await;
    assert!(perform(&app, &Task::Prune).await.is_err(), "an operator reads of it");
    assert!(db::jobs::find(&app.db, id).await.unwrap().is_none());
}

/// What one transaction changes is what other writers wait for.
#[tokio::test]
async fn old_jobs_are_forgotten_a_few_hundred_at_once() {
    let app = TestApp::start().await;
    let tx = app.db.begin().await.unwrap();
    for _ in 0..1_600 {
        ended(&app, &tx, JobState::Done, 1).await;
    }
    tx.commit().await.unwrap();
    app.db.largest_change();
    perform(&app, &Task::Prune).await.unwrap();
    let largest = app.db.largest_change();
    assert!((100..=500).contains(&largest), "{largest} rows in one transaction");
    assert!(db::jobs::ended(&app.db, JobState::Done, app.clock.now(), 1).await.unwrap().is_empty());
}
