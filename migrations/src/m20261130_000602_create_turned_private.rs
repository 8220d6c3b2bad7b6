//! Repositories that became private because their code did, so that their pages can say so.
//!
//! Webhooks that are there tell of pushes only: each is put right once, so that such code is known at once.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        table(m, "turned_private")
            .id()
            .child_of("repository_id", "repository")
            .may_name("source_id", "source")
            .int("at")
            .unique(&["repository_id"])
            .create()
            .await?;
        let id = match m.get_database_backend() {
            DbBackend::Postgres => "CAST(s.id AS TEXT)",
            _ => "lower(hex(s.id))",
        };
        let sql = format!(
            r#"INSERT INTO job (id, kind, lane, payload, state, run_at, attempts, created_at)
            SELECT s.id, 'ensure_hook', 'forge', '{{"task":"ensure_hook","source_id":"' || {id} || '"}}', 'waiting', 0, 0, 0
            FROM source s WHERE s.hook_remote_id IS NOT NULL"#
        );
        m.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["turned_private"]).await
    }
}
