//! The namespace of each build: what waits, runs or failed in a namespace is asked without a look at others.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: [&str; 3] = [
    "ALTER TABLE build ADD COLUMN namespace_id uuid",
    "UPDATE build SET namespace_id = (SELECT r.namespace_id FROM repository r WHERE r.id = build.repository_id)",
    "CREATE INDEX build_namespace_id_state_created_at_idx ON build (namespace_id, state, created_at)",
];
const DOWN: [&str; 2] =
    ["DROP INDEX build_namespace_id_state_created_at_idx", "ALTER TABLE build DROP COLUMN namespace_id"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for one in UP {
            m.get_connection().execute_unprepared(one).await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for one in DOWN {
            m.get_connection().execute_unprepared(one).await?;
        }
        Ok(())
    }
}
