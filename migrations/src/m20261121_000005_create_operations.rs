//! Jobs, events, keys and settings.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        table(m, "job")
            .id()
            .text("kind")
            .text("payload")
            .text_null("dedupe_key")
            .text("state")
            .int("run_at")
            .int_null("locked_until")
            .int("attempts")
            .text_null("last_error")
            .text_null("cause")
            .int("created_at")
            .int_null("finished_at")
            .unique(&["dedupe_key"])
            .index(&["state", "run_at"])
            .create()
            .await?;
        // The outbox: written in the transaction that changed the data.
        table(m, "event")
            .id()
            .int("version")
            .text("kind")
            .uuid_null("namespace_id")
            .uuid_null("repository_id")
            .text("subject")
            .text("principal_kind")
            .uuid_null("principal_id")
            .text_null("cause")
            .text_null("request_id")
            .text("body")
            .int("at")
            .index(&["namespace_id", "at"])
            .index(&["repository_id", "at"])
            .create()
            .await?;
        table(m, "signing_key")
            .id()
            .text("scope")
            .uuid_null("namespace_id")
            .text("algorithm")
            .text("public_pem")
            .bytes("private_encrypted")
            .text("fingerprint")
            .int("created_at")
            .int_null("retired_at")
            .unique(&["fingerprint"])
            .create()
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["signing_key", "event", "job"]).await
    }
}
