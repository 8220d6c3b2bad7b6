//! What the questions for jobs read.

use super::*;
use crate::testing::TestApp;
use sea_orm::{DbBackend, Statement};

/// How SQLite goes about a question.
async fn plan(db: &crate::db::Db, query: Select<job::Entity>) -> Vec<String> {
    let statement = query.build(DbBackend::Sqlite);
    let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", statement.sql), ..statement };
    let steps = db.connection().query_all_raw(explain).await.unwrap();
    steps.iter().map(|step| step.try_get::<String>("", "detail").unwrap()).collect()
}

#[tokio::test]
async fn the_question_for_work_reads_no_job_that_ended() {
    let app = TestApp::start().await;
    let wanted = [
        "job_lane_state_run_at_idx (lane=? AND state=?)",
        "job_lane_state_run_at_idx (lane=? AND state=? AND run_at<?)",
        "job_lane_state_run_at_idx (lane=? AND state=? AND run_at>?)",
        "job_lane_state_created_at_idx (lane=? AND state=? AND created_at>?)",
    ];
    for (query, wanted) in due(Lane::Polling, 1).into_iter().zip(wanted) {
        let steps = plan(&app.db, query.limit(1)).await;
        assert_eq!(steps, [format!("SEARCH job USING INDEX {wanted}")]);
    }
}
