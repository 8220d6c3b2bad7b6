//! Whether a build made an image is asked for each image that has no signature of ours.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX build_repository_id_digest_idx ON build (repository_id, digest)";
        m.get_connection().execute_unprepared(sql).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared("DROP INDEX build_repository_id_digest_idx").await.map(drop)
    }
}
