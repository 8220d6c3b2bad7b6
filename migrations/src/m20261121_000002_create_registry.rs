//! Repositories and what is stored in them: blobs, manifests, tags and their history.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // A provisional repository has uploads but no manifest yet: nobody sees it.
        table(m, "repository")
            .id()
            .needs("namespace_id", "namespace")
            .text("name")
            .text("visibility")
            .text("state")
            .text_null("description")
            .int("next_build_number")
            .int("created_at")
            .int("updated_at")
            .unique(&["namespace_id", "name"])
            .create()
            .await?;
        // Blobs are global, links are not: whatever is served goes through `repository_blob`.
        table(m, "blob")
            .id()
            .text("digest")
            .int("size_bytes")
            .text("storage_key")
            .text("state")
            .int("version")
            .int_null("condemned_at")
            .int("created_at")
            .unique(&["digest"])
            .create()
            .await?;
        table(m, "repository_blob")
            .id()
            .child_of("repository_id", "repository")
            .needs("blob_id", "blob")
            .uuid_null("attempt_id")
            .int("created_at")
            .unique(&["repository_id", "blob_id"])
            .create()
            .await?;
        table(m, "manifest")
            .id()
            .child_of("repository_id", "repository")
            .text("digest")
            .text("media_type")
            .text_null("artifact_type")
            .text_null("subject_digest")
            .bytes("body")
            .int("size_bytes")
            .int("image_size_bytes")
            .text("principal_kind")
            .uuid_null("principal_id")
            .uuid_null("attempt_id")
            .int("created_at")
            .unique(&["repository_id", "digest"])
            .index(&["repository_id", "subject_digest"])
            .create()
            .await?;
        table(m, "manifest_edge")
            .id()
            .child_of("manifest_id", "manifest")
            .int("position")
            .text("kind")
            .text("digest")
            .text("media_type")
            .int("size_bytes")
            .text_null("platform")
            .unique(&["manifest_id", "kind", "position"])
            .index(&["digest"])
            .create()
            .await?;
        // `source_id`, `ref_name` and `ref_number` say which ref update the tag came from: a slow or repeated build never rolls it back.
        table(m, "tag")
            .id()
            .child_of("repository_id", "repository")
            .text("name")
            .text("digest")
            .uuid_null("build_id")
            .uuid_null("source_id")
            .text_null("ref_name")
            .int_null("ref_number")
            .int("updated_at")
            .unique(&["repository_id", "name"])
            .index(&["repository_id", "digest"])
            .create()
            .await?;
        table(m, "tag_move")
            .id()
            .child_of("repository_id", "repository")
            .text("tag")
            .text_null("from_digest")
            .text_null("to_digest")
            .text("cause")
            .uuid_null("build_id")
            .text("principal_kind")
            .uuid_null("principal_id")
            .int("at")
            .index(&["repository_id", "tag", "at"])
            .create()
            .await?;
        table(m, "upload")
            .id()
            .child_of("repository_id", "repository")
            .text("storage_key")
            .int("offset_bytes")
            .int("version")
            .int_null("locked_until")
            .text("principal_kind")
            .uuid_null("principal_id")
            .uuid_null("attempt_id")
            .int("created_at")
            .int("updated_at")
            .create()
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(
            m,
            &["upload", "tag_move", "tag", "manifest_edge", "manifest", "repository_blob", "blob", "repository"],
        )
        .await
    }
}
