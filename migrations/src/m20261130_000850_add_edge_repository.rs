//! The repository of each descriptor: whether one there names a digest is asked without a look at other repositories.

use crate::schema::execute;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE manifest_edge ADD COLUMN repository_id uuid",
    "UPDATE manifest_edge SET repository_id = \
     (SELECT m.repository_id FROM manifest m WHERE m.id = manifest_edge.manifest_id)",
    "CREATE INDEX manifest_edge_repository_id_digest_kind_idx ON manifest_edge (repository_id, digest, kind)",
    "DROP INDEX manifest_edge_digest_idx",
];
const DOWN: &[&str] = &[
    "CREATE INDEX manifest_edge_digest_idx ON manifest_edge (digest)",
    "DROP INDEX manifest_edge_repository_id_digest_kind_idx",
    "ALTER TABLE manifest_edge DROP COLUMN repository_id",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        execute(m, UP).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        execute(m, DOWN).await
    }
}
