//! What bounds a log, and what its page is drawn from without reading all of it.
//!
//! `log_bytes` counts what an attempt's log takes, and `log_cut` says why no more is taken. Notices stand beside their
//! step (or, before the first one, beside the attempt), and `places` says which lines a batch holds. Where an older log
//! has no such value, the log itself is read.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [(&str, &str, &str); 5] = [
    ("build_attempt", "log_bytes", "bigint NOT NULL DEFAULT 0"),
    ("build_attempt", "log_cut", "text"),
    ("build_attempt", "log_notices", "text"),
    ("build_step", "notices", "text"),
    ("log_batch", "places", "text"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let db = m.get_connection();
        for (table, column, kind) in COLUMNS {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")).await?;
        }
        db.execute_unprepared(
            "UPDATE build_attempt SET log_bytes = COALESCE(
                (SELECT SUM(LENGTH(body)) FROM log_batch WHERE log_batch.attempt_id = build_attempt.id), 0)",
        )
        .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, _) in COLUMNS {
            m.get_connection().execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}
