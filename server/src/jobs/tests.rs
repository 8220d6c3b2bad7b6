//! The table of jobs, on a real database.

use super::*;
use crate::clock::DAY;
use crate::db::Lane;
use crate::db::jobs::End;
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
        let claimed = db::jobs::claim_next(&tx, Lane::Leases, now + 1_000).await.unwrap().unwrap();
        let end = if is_good { End::Done } else { End::Failed("it broke".into()) };
        assert!(db::jobs::end(&tx, &claimed.job, end, at).await.unwrap());
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
