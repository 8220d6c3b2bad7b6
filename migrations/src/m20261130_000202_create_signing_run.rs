//! How far a namespace's images are signed again with its present key; one row for each namespace that ever needed it.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        table(m, "signing_run")
            .id()
            .child_of("namespace_id", "namespace")
            .child_of("key_id", "signing_key")
            .int("total")
            .int("looked")
            .int("signed")
            .int("skipped")
            .uuid_null("cursor")
            .int("started_at")
            .int_null("finished_at")
            .unique(&["namespace_id"])
            .create()
            .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["signing_run"]).await
    }
}
