//! Indexes of questions that read a table, or all builds of a repository, for a few rows.

use crate::schema::{create_indexes, drop_indexes};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Name and place.
const INDEXES: &[(&str, &str)] = &[
    ("event_at_idx", "event (at)"),
    ("tag_move_at_idx", "tag_move (at)"),
    ("tag_move_repository_id_at_idx", "tag_move (repository_id, at)"),
    ("tag_move_build_id_idx", "tag_move (build_id)"),
    ("source_ref_deleted_at_idx", "source_ref (deleted_at)"),
    ("build_attempt_ended_at_idx", "build_attempt (ended_at)"),
    ("build_repository_id_ref_name_number_idx", "build (repository_id, ref_name, number)"),
    ("build_repository_id_ref_name_state_number_idx", "build (repository_id, ref_name, state, number)"),
    ("build_repository_id_commit_hash_number_idx", "build (repository_id, commit_hash, number)"),
    ("repository_namespace_id_state_updated_at_idx", "repository (namespace_id, state, updated_at)"),
    ("repository_namespace_id_state_name_idx", "repository (namespace_id, state, name)"),
    ("repository_namespace_id_visibility_state_name_idx", "repository (namespace_id, visibility, state, name)"),
    ("repository_state_visibility_updated_at_idx", "repository (state, visibility, updated_at)"),
    ("tag_repository_id_updated_at_idx", "tag (repository_id, updated_at)"),
    ("job_state_kind_idx", "job (state, kind)"),
    ("source_forge_url_remote_id_idx", "source (forge_url, remote_id)"),
    ("session_expires_at_idx", "session (expires_at)"),
    ("sign_in_expires_at_idx", "sign_in (expires_at)"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        create_indexes(m, INDEXES).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_indexes(m, INDEXES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
