//! The table of jobs, on a real database.

use super::*;
use crate::clock::DAY;
use crate::testing::TestApp;

crate::testing::on_postgres! {
    jobs_that_ended_long_ago_are_forgotten_however_they_ended,
}

#[tokio::test]
async fn jobs_that_ended_long_ago_are_forgotten_however_they_ended() {
    let app = TestApp::start().await;
    let now = app.clock.now();
    let end = async |is_good: bool, at: i64| {
        let tx = app.db.begin().await.unwrap();
        enqueue(&app, &tx, &Task::SweepLeases, None).await.unwrap();
        let job = db::jobs::claim_next(&tx, now + 1_000, now + 2_000).await.unwrap().unwrap();
        if is_good {
            db::jobs::finish(&tx, job.id, at).await.unwrap();
        } else {
            db::jobs::fail(&tx, job.id, "it broke".into(), at).await.unwrap();
        }
        tx.commit().await.unwrap();
    };
    for days in [1, 8, 91] {
        end(true, now - days * DAY).await;
        end(false, now - days * DAY).await;
    }
    let prune = async || {
        let tx = app.db.begin().await.unwrap();
        let gone = db::jobs::prune(&tx, now - 7 * DAY, now - 90 * DAY).await.unwrap();
        tx.commit().await.unwrap();
        gone
    };
    assert_eq!((prune().await, prune().await), (3, 0));
}
