//! Keys of storage: each is a row before its first byte, and the row goes after the bytes, so nothing leaks unseen.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What rows name already. Ids are those of the rows, which no two tables share.
const KNOWN: [&str; 3] = [
    "INSERT INTO object (id, storage_key, kind, state, owner_kind, owner_id, created_at) \
     SELECT id, storage_key, 'blob', 'owned', 'blob', id, created_at FROM blob WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO object (id, storage_key, kind, state, owner_kind, owner_id, created_at) \
     SELECT id, storage_key, 'blob', 'owned', 'upload', id, created_at FROM upload WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO object (id, storage_key, kind, state, owner_kind, owner_id, created_at) \
     SELECT l.id, l.storage_key, 'log', 'owned', 'log', l.attempt_id, COALESCE(a.ended_at, a.started_at) \
     FROM sealed_log l JOIN build_attempt a ON a.id = l.attempt_id WHERE true ON CONFLICT DO NOTHING",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // `remove_at` is set while no row names the object: from then on its bytes may go.
        table(m, "object")
            .id()
            .text("storage_key")
            .text("kind")
            .text("state")
            .text_null("owner_kind")
            .uuid_null("owner_id")
            .int("created_at")
            .int_null("remove_at")
            .unique(&["storage_key"])
            .index(&["remove_at"])
            .create()
            .await?;
        for known in KNOWN {
            m.get_connection().execute_unprepared(known).await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["object"]).await
    }
}
