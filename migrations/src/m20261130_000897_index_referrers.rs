//! What refers to a manifest is found by type, by digest and by who made it, and whether there is a bundle among it, without
//! a look at the rest: anybody who may push can make a hundred thousand.

use crate::schema::{create_indexes, drop_indexes, execute};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[(&str, &str)] = &[
    ("manifest_repository_id_subject_digest_digest_idx", "manifest (repository_id, subject_digest, digest)"),
    (
        "manifest_repository_id_subject_digest_artifact_type_digest_idx",
        "manifest (repository_id, subject_digest, artifact_type, digest)",
    ),
    (
        "manifest_repository_id_subject_digest_principal_kind_id_idx",
        "manifest (repository_id, subject_digest, principal_kind, id)",
    ),
    ("manifest_repository_id_bundle_of_idx", "manifest (repository_id, bundle_of)"),
];
/// Each of the first three begins as this one.
const BEFORE: &[(&str, &str)] =
    &[("manifest_repository_id_subject_digest_idx", "manifest (repository_id, subject_digest)")];

const FILL: &str = "
UPDATE manifest SET bundle_of = subject_digest WHERE subject_digest IS NOT NULL AND bundle_of IS NULL AND id IN
(SELECT manifest_id FROM manifest_edge WHERE kind IN ('layer', 'blob')
AND media_type LIKE 'application/vnd.dev.sigstore.bundle%')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if !m.has_column("manifest", "bundle_of").await? {
            let collation = if m.get_database_backend() == DbBackend::Postgres { " COLLATE \"C\"" } else { "" };
            execute(m, &[&format!("ALTER TABLE manifest ADD COLUMN bundle_of text{collation}")]).await?;
        }
        execute(m, &[FILL]).await?;
        create_indexes(m, INDEXES).await?;
        drop_indexes(m, BEFORE).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        create_indexes(m, BEFORE).await?;
        drop_indexes(m, INDEXES).await?;
        execute(m, &["ALTER TABLE manifest DROP COLUMN bundle_of"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
