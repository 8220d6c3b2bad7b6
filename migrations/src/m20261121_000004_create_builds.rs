//! Builds, their attempts, steps, logs and materials.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // `rule_snapshot` is the rule as it was; `ref_number` orders the tags that the build may move.
        table(m, "build")
            .id()
            .child_of("repository_id", "repository")
            .int("number")
            .may_name("source_id", "source")
            .may_name("rule_id", "rule")
            .text("rule_snapshot")
            .text("ref_name")
            .int("ref_number")
            .text("commit_hash")
            .text("commit_title")
            .text("commit_author")
            .text("trigger")
            .text("principal_kind")
            .uuid_null("principal_id")
            .text("state")
            .text_null("reason")
            .text_null("detail")
            .text_null("failure")
            .text_null("digest")
            .flag("no_cache")
            .uuid_null("rerun_of")
            .uuid_null("superseded_by")
            .int("requeues")
            .int("created_at")
            .int_null("started_at")
            .int_null("finished_at")
            .int_null("cancel_requested_at")
            .text_null("cancelled_by")
            .unique(&["repository_id", "number"])
            .index(&["state", "created_at"])
            .index(&["source_id", "ref_name"])
            .create()
            .await?;
        // The number is a fencing token: only the present attempt may write.
        table(m, "build_attempt")
            .id()
            .child_of("build_id", "build")
            .int("number")
            .text("builder")
            .text("token_hash")
            .int("lease_until")
            .int("started_at")
            .int_null("ended_at")
            .text_null("end_reason")
            .int("last_record")
            .unique(&["build_id", "number"])
            .unique(&["token_hash"])
            .create()
            .await?;
        table(m, "build_step")
            .id()
            .child_of("attempt_id", "build_attempt")
            .int("step")
            .text("vertex")
            .text("name")
            .flag("is_cached")
            .int_null("started_at")
            .int_null("completed_at")
            .text_null("error")
            .int("lines")
            .text_null("progress")
            .unique(&["attempt_id", "step"])
            .create()
            .await?;
        // Rows until the build ends, then one object in storage.
        table(m, "log_batch")
            .id()
            .child_of("attempt_id", "build_attempt")
            .int("first")
            .int("last")
            .bytes("body")
            .unique(&["attempt_id", "first"])
            .create()
            .await?;
        table(m, "sealed_log")
            .id()
            .child_of("attempt_id", "build_attempt")
            .text("storage_key")
            .int("records")
            .int("size_bytes")
            .text("index")
            .unique(&["attempt_id"])
            .create()
            .await?;
        table(m, "material")
            .id()
            .child_of("build_id", "build")
            .text("uri")
            .text("digest")
            .unique(&["build_id", "uri", "digest"])
            .create()
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["material", "sealed_log", "log_batch", "build_step", "build_attempt", "build"]).await
    }
}
