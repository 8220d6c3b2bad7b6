//! What lists of images and of builds are answered by: the sizes of an index's platforms, the tags of each digest together
//! (the index before it begins alike, and goes), and the builds of a repository by state.

use crate::schema::{create_indexes, drop_indexes, execute};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 2] = ["platform_least_bytes", "platform_most_bytes"];

const INDEXES: &[(&str, &str)] = &[
    ("tag_repository_id_digest_name_updated_at_idx", "tag (repository_id, digest, name, updated_at)"),
    ("build_repository_id_state_number_idx", "build (repository_id, state, number)"),
];
const BEFORE: &[(&str, &str)] = &[("tag_repository_id_digest_idx", "tag (repository_id, digest)")];

/// Some hundred rows at once: a server that is at work writes in between. What an index names may have gone.
const FILL: &str = "
UPDATE manifest SET platform_least_bytes = COALESCE((SELECT MIN(c.image_size_bytes) OF_PLATFORMS), image_size_bytes),
    platform_most_bytes = COALESCE((SELECT MAX(c.image_size_bytes) OF_PLATFORMS), image_size_bytes)
WHERE id IN (SELECT m.id FROM manifest m WHERE m.platform_least_bytes IS NULL AND m.media_type IN (
    'application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json') LIMIT 500)";
const OF_PLATFORMS: &str = "FROM manifest_edge e
    JOIN manifest c ON c.repository_id = manifest.repository_id AND c.digest = e.digest
    WHERE e.manifest_id = manifest.id AND e.kind = 'manifest'
        AND (e.platform IS NULL OR e.platform <> 'unknown/unknown')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            if !m.has_column("manifest", column).await? {
                execute(m, &[&format!("ALTER TABLE manifest ADD COLUMN {column} bigint")]).await?;
            }
        }
        let fill = FILL.replace("OF_PLATFORMS", OF_PLATFORMS);
        while m.get_connection().execute_unprepared(&fill).await?.rows_affected() > 0 {}
        create_indexes(m, INDEXES).await?;
        drop_indexes(m, BEFORE).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        create_indexes(m, BEFORE).await?;
        drop_indexes(m, INDEXES).await?;
        for column in COLUMNS {
            execute(m, &[&format!("ALTER TABLE manifest DROP COLUMN {column}")]).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
