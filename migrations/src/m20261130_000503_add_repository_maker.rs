//! Who made a repository by a push: first pushes that are not complete are bounded for each principal.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: [&str; 4] = [
    "ALTER TABLE repository ADD COLUMN maker_kind text",
    "ALTER TABLE repository ADD COLUMN maker_id uuid",
    "CREATE INDEX repository_state_maker_id_idx ON repository (state, maker_id)",
    "CREATE INDEX upload_principal_kind_principal_id_idx ON upload (principal_kind, principal_id)",
];
const DOWN: [&str; 4] = [
    "DROP INDEX upload_principal_kind_principal_id_idx",
    "DROP INDEX repository_state_maker_id_idx",
    "ALTER TABLE repository DROP COLUMN maker_id",
    "ALTER TABLE repository DROP COLUMN maker_kind",
];

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
