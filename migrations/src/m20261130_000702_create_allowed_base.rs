//! The private images that builds of a repository may start from.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        table(m, "allowed_base")
            .id()
            .child_of("repository_id", "repository")
            .child_of("base_id", "repository")
            .int("created_at")
            .unique(&["repository_id", "base_id"])
            .create()
            .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["allowed_base"]).await
    }
}
