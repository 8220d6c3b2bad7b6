//! Several servers that start on one PostgreSQL database.

use super::*;
use crate::testing::again_on_postgres;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The first of the migrations that go in steps.
const STEPS: &str = "add_build_namespace";
const INDEXES: &str = "SELECT count(*) FROM pg_index WHERE indisvalid";
const BROKEN: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";

fn on_postgres(test: impl AsyncFnOnce(TestApp)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    again_on_postgres(|| runtime.block_on(async { test(TestApp::start().await).await }));
}

/// Another server with the same database, and a data folder of its own.
async fn another(app: &App) -> (Arc<App>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = app.config.clone();
    config.data_dir = folder.path().join("data");
    (App::open(config).await.unwrap(), folder)
}

async fn number(app: &App, sql: &str) -> i64 {
    db::connect::number(&app.db, sql).await.unwrap()
}

#[test]
fn of_two_servers_that_start_together_one_migrates_and_the_other_finds_it_done() {
    on_postgres(async |first| {
        let (second, _folder) = another(&first).await;
        for before in ["create_accounts", "add_job_lane", STEPS] {
            let whole = number(&first, INDEXES).await;
            go_before(&first.db, before).await;
            let pending = migrations(&first.db).await.unwrap().pending.len();
            let (a, b) = tokio::join!(bring_up(&first), bring_up(&second));
            let mut done = [a.unwrap(), b.unwrap()];
            done.sort_unstable();
            assert_eq!(done, [0, pending], "from before {before}");
            assert_eq!((number(&first, INDEXES).await, number(&first, BROKEN).await), (whole, 0));
        }
    });
}

#[test]
fn a_server_waits_for_its_turn_and_takes_it_when_the_other_one_is_gone() {
    on_postgres(async |app| {
        go_before(&app.db, STEPS).await;
        let turn = Turn::take(&app.config.database_url).await.unwrap();
        {
            let mut start = std::pin::pin!(bring_up(&app));
            timeout(Duration::from_secs(1), &mut start).await.unwrap_err();
            assert!(!migrations(&app.db).await.unwrap().pending.is_empty());
            // As when its server is killed.
            drop(turn);
            start.await.unwrap();
        }
        assert!(migrations(&app.db).await.unwrap().pending.is_empty());
    });
}

#[test]
fn an_index_that_is_there_stays_and_one_that_broke_off_is_made_anew() {
    on_postgres(async |app| {
        let id = |name: &str| format!("SELECT oid::bigint FROM pg_class WHERE relname = '{name}'");
        let (good, bad) = (id("event_at_idx"), id("tag_move_at_idx"));
        let before = (number(&app, &good).await, number(&app, &bad).await);
        execute(&app.db, "DELETE FROM seaql_migrations WHERE version LIKE '%add_indexes_of_lists'").await;
        execute(&app.db, "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'tag_move_at_idx'::regclass").await;
        execute(&app.db, "DROP INDEX job_state_kind_idx").await;
        bring_up(&app).await.unwrap();
        assert_eq!(number(&app, &good).await, before.0, "nobody was without it meanwhile");
        assert_ne!(number(&app, &bad).await, before.1);
        assert_eq!(number(&app, BROKEN).await, 0);
        assert!(number(&app, &id("job_state_kind_idx")).await > 0);
    });
}
