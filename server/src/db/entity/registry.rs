//! Repositories and what is stored in them.

use super::values::{
    BlobState, Cause, EdgeKind, ObjectKind, ObjectState, OwnerKind, PrincipalKind, RepositoryState, Visibility,
};
use crate::db::objects::ObjectKey;
use uuid::Uuid;

entity!(repository "repository" {
    namespace_id: Uuid,
    name: String,
    visibility: Visibility,
    state: RepositoryState,
    description: Option<String>,
    next_build_number: i64,
    created_at: i64,
    updated_at: i64,
    maker_kind: Option<PrincipalKind>,
    maker_id: Option<Uuid>,
});

entity!(object "object" {
    storage_key: ObjectKey,
    kind: ObjectKind,
    state: ObjectState,
    owner_kind: Option<OwnerKind>,
    owner_id: Option<Uuid>,
    created_at: i64,
    remove_at: Option<i64>,
});

entity!(blob "blob" {
    digest: String,
    size_bytes: i64,
    storage_key: ObjectKey,
    state: BlobState,
    version: i64,
    condemned_at: Option<i64>,
    created_at: i64,
});

entity!(repository_blob "repository_blob" {
    repository_id: Uuid,
    blob_id: Uuid,
    attempt_id: Option<Uuid>,
    created_at: i64,
});

entity!(manifest "manifest" {
    repository_id: Uuid,
    digest: String,
    media_type: String,
    artifact_type: Option<String>,
    subject_digest: Option<String>,
    // The subject again, if this holds a sigstore bundle about it.
    bundle_of: Option<String>,
    body: Vec<u8>,
    size_bytes: i64,
    image_size_bytes: i64,
    principal_kind: PrincipalKind,
    principal_id: Option<Uuid>,
    attempt_id: Option<Uuid>,
    created_at: i64,
    platform_least_bytes: Option<i64>,
    platform_most_bytes: Option<i64>,
});

entity!(manifest_edge "manifest_edge" {
    manifest_id: Uuid,
    repository_id: Option<Uuid>,
    position: i64,
    kind: EdgeKind,
    digest: String,
    media_type: String,
    size_bytes: i64,
    platform: Option<String>,
});

entity!(tag "tag" {
    repository_id: Uuid,
    name: String,
    digest: String,
    build_id: Option<Uuid>,
    source_id: Option<Uuid>,
    ref_name: Option<String>,
    ref_number: Option<i64>,
    updated_at: i64,
});

entity!(tag_move "tag_move" {
    repository_id: Uuid,
    tag: String,
    from_digest: Option<String>,
    to_digest: Option<String>,
    cause: Cause,
    build_id: Option<Uuid>,
    principal_kind: PrincipalKind,
    principal_id: Option<Uuid>,
    at: i64,
});

entity!(upload "upload" {
    repository_id: Uuid,
    storage_key: ObjectKey,
    offset_bytes: i64,
    version: i64,
    locked_until: Option<i64>,
    locked_by: Option<Uuid>,
    principal_kind: PrincipalKind,
    principal_id: Option<Uuid>,
    attempt_id: Option<Uuid>,
    created_at: i64,
    updated_at: i64,
});
