//! Code repositories, their refs and rules.

use super::values::{HookState, ScanState, SourceState};
use uuid::Uuid;

entity!(forge_repository "forge_repository" {
    connection_id: Uuid,
    remote_id: String,
    full_name: String,
    owner_id: String,
    owner_login: String,
    owner_kind: String,
    is_private: bool,
    can_admin: bool,
    default_branch: String,
    html_url: String,
    clone_url: String,
    pushed_at: Option<i64>,
    dockerfiles: String,
    scan_state: ScanState,
    listed_at: i64,
});

entity!(source "source" {
    namespace_id: Uuid,
    connection_id: Option<Uuid>,
    forge: String,
    forge_url: String,
    remote_id: String,
    full_name: String,
    html_url: String,
    clone_url: String,
    default_branch: String,
    is_private: bool,
    state: SourceState,
    state_detail: Option<String>,
    hook_state: HookState,
    hook_detail: Option<String>,
    hook_remote_id: Option<String>,
    hook_secret_encrypted: Vec<u8>,
    next_ref_number: i64,
    polled_at: Option<i64>,
    poll_etag: Option<String>,
    delivered_at: Option<i64>,
    created_at: i64,
});

entity!(turned_private "turned_private" {
    repository_id: Uuid,
    source_id: Option<Uuid>,
    at: i64,
});

entity!(source_ref "source_ref" {
    source_id: Uuid,
    name: String,
    commit_hash: String,
    number: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
});

entity!(rule "rule" {
    source_id: Uuid,
    repository_id: Uuid,
    dockerfile: String,
    context: String,
    stage: Option<String>,
    platforms: String,
    build_args: String,
    ref_pattern: Option<String>,
    is_enabled: bool,
    created_at: i64,
    updated_at: i64,
});

entity!(hook_delivery "hook_delivery" {
    source_id: Uuid,
    body_sha256: String,
    event: String,
    remote_id: Option<String>,
    body: Vec<u8>,
    outcome: String,
    received_at: i64,
});
