//! The namespace of each build: what waits, runs or failed in a namespace is asked without a look at others.

use crate::schema::{create_indexes, drop_indexes, execute};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[(&str, &str)] = &[
    ("build_namespace_id_state_created_at_id_idx", "build (namespace_id, state, created_at, id)"),
    ("build_state_namespace_id_idx", "build (state, namespace_id)"),
];

/// A few thousand rows at once: a server that is at work writes in between.
const FILL: &str = "
UPDATE build SET namespace_id = (SELECT r.namespace_id FROM repository r WHERE r.id = build.repository_id)
WHERE id IN (SELECT id FROM build WHERE namespace_id IS NULL";

/// The end of `FILL`. That server locks several builds by id, and so do we where rows are locked.
fn rows(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "ORDER BY id LIMIT 5000 FOR NO KEY UPDATE)" } else { "LIMIT 5000)" }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if !m.has_column("build", "namespace_id").await? {
            execute(m, &["ALTER TABLE build ADD COLUMN namespace_id uuid"]).await?;
        }
        let fill = format!("{FILL} {}", rows(m.get_database_backend()));
        while m.get_connection().execute_unprepared(&fill).await?.rows_affected() > 0 {}
        create_indexes(m, INDEXES).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_indexes(m, INDEXES).await?;
        execute(m, &["ALTER TABLE build DROP COLUMN namespace_id"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
