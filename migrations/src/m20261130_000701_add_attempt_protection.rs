//! Whether an attempt builds a protected ref, as the server saw it when the attempt began: caches go by it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: [&str; 2] = [
    "ALTER TABLE build_attempt ADD COLUMN protection text NOT NULL DEFAULT 'unprotected'",
    // Those that run meanwhile go on as what they are.
    "UPDATE build_attempt SET protection = 'protected' WHERE ended_at IS NULL AND build_id IN \
     (SELECT b.id FROM build b JOIN source s ON s.id = b.source_id WHERE b.ref_name = 'refs/heads/' || s.default_branch)",
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
        m.get_connection().execute_unprepared("ALTER TABLE build_attempt DROP COLUMN protection").await?;
        Ok(())
    }
}
