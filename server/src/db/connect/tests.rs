//! The migrations on both databases: up, down and up again.

use super::*;
use crate::testing::TestApp;
use sea_orm::{ConnectionTrait, Statement};

/// Tables, columns, indexes and constraints as SQLite wrote them down.
const SQLITE: &str = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1";
/// The same from PostgreSQL's catalogue.
const POSTGRES: &str = "SELECT * FROM (
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, collation_name, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
) AS lines ORDER BY 1";

/// Columns and indexes by name, which both databases must have alike.
const SQLITE_NAMES: &str =
    "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
    UNION SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
const POSTGRES_NAMES: &str = "SELECT * FROM (
    SELECT table_name || '.' || column_name AS line FROM information_schema.columns WHERE table_schema = 'public'
    UNION SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey'
) AS lines ORDER BY line COLLATE \"C\"";

async fn lines(db: &Db, sqlite: &str, postgres: &str) -> Vec<String> {
    let sql = if db.is_postgres { postgres } else { sqlite };
    let rows = db.write.query_all_raw(Statement::from_string(db.write.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn schema(db: &Db) -> Vec<String> {
    lines(db, SQLITE, POSTGRES).await
}

#[tokio::test]
async fn each_migration_goes_down_and_up_again_to_the_same_schema() {
    let app = TestApp::start().await;
    let (db, first) = (&app.db, schema(&app.db).await);
    let all = u32::try_from(Migrator::migrations().len()).unwrap();
    for steps in 1..=all {
        Migrator::down(&db.write, Some(steps)).await.unwrap();
        assert_eq!(migrations(db).await.unwrap().pending.len(), steps as usize);
        assert_ne!(schema(db).await, first, "the last {steps} migrations take nothing away");
        migrate(db).await.unwrap();
        assert_eq!(schema(db).await, first, "after {steps} steps down and up");
    }
    Migrator::down(&db.write, None).await.unwrap();
    let left: Vec<_> = schema(db).await.into_iter().filter(|line| !line.contains("seaql_migrations")).collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_in_words() {
    let app = TestApp::start().await;
    assert_eq!(migrations(&app.db).await.unwrap().pending, Vec::<String>::new());
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_add_more', 0)";
    app.db.write.execute_unprepared(newer).await.unwrap();
    let refused = migrations(&app.db).await.unwrap_err().to_string();
    assert!(refused.contains("a newer slipway") && refused.contains("m29990101_000001_add_more"), "{refused}");
}

#[test]
fn both_databases_have_the_same_columns_and_indexes() {
    fn names() -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { lines(&TestApp::start().await.db, SQLITE_NAMES, POSTGRES_NAMES).await })
    }
    let (sqlite, mut postgres) = (names(), Vec::new());
    crate::testing::again_on_postgres(|| postgres = names());
    assert!(sqlite.len() > 100, "{sqlite:?}");
    assert_eq!(sqlite, postgres);
}

crate::testing::on_postgres! {
    each_migration_goes_down_and_up_again_to_the_same_schema,
    a_database_of_a_newer_program_is_refused_in_words,
}
