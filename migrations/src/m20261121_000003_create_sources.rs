//! Code repositories, their refs, the rules that build them, and what forges send.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // What a person may import, as the forge listed it; searched here.
        table(m, "forge_repository")
            .id()
            .child_of("connection_id", "connection")
            .text("remote_id")
            .text("full_name")
            .text("owner_id")
            .text("owner_login")
            .text("owner_kind")
            .flag("is_private")
            .flag("can_admin")
            .text("default_branch")
            .text("html_url")
            .text("clone_url")
            .int_null("pushed_at")
            .text("dockerfiles")
            .text("scan_state")
            .int("listed_at")
            .unique(&["connection_id", "remote_id"])
            .index(&["connection_id", "full_name"])
            .create()
            .await?;
        table(m, "source")
            .id()
            .child_of("namespace_id", "namespace")
            .may_name("connection_id", "connection")
            .text("forge")
            .text("forge_url")
            .text("remote_id")
            .text("full_name")
            .text("html_url")
            .text("clone_url")
            .text("default_branch")
            .flag("is_private")
            .text("state")
            .text_null("state_detail")
            .text("hook_state")
            .text_null("hook_detail")
            .text_null("hook_remote_id")
            .bytes("hook_secret_encrypted")
            .int("next_ref_number")
            .int_null("polled_at")
            .text_null("poll_etag")
            .int_null("delivered_at")
            .int("created_at")
            .unique(&["namespace_id", "forge_url", "remote_id"])
            .create()
            .await?;
        table(m, "source_ref")
            .id()
            .child_of("source_id", "source")
            .text("name")
            .text("commit_hash")
            .int("number")
            .int("updated_at")
            .int_null("deleted_at")
            .unique(&["source_id", "name"])
            .create()
            .await?;
        table(m, "rule")
            .id()
            .child_of("source_id", "source")
            .child_of("repository_id", "repository")
            .text("dockerfile")
            .text("context")
            .text_null("stage")
            .text("platforms")
            .text("build_args")
            .text_null("ref_pattern")
            .flag("is_enabled")
            .int("created_at")
            .int("updated_at")
            .create()
            .await?;
        // Known by the body: the ids that forges send are not signed.
        table(m, "hook_delivery")
            .id()
            .child_of("source_id", "source")
            .text("body_sha256")
            .text("event")
            .text_null("remote_id")
            .bytes("body")
            .text("outcome")
            .int("received_at")
            .unique(&["source_id", "body_sha256"])
            .create()
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["hook_delivery", "rule", "source_ref", "source", "forge_repository"]).await
    }
}
