//! Builds, attempts, steps, logs.

use super::values::{AttemptEnd, BuildState, PrincipalKind, Protection, Trigger};
use crate::db::objects::ObjectKey;
use uuid::Uuid;

entity!(build "build" {
    repository_id: Uuid,
    namespace_id: Option<Uuid>,
    number: i64,
    source_id: Option<Uuid>,
    rule_id: Option<Uuid>,
    rule_snapshot: String,
    ref_name: String,
    ref_number: i64,
    commit_hash: String,
    commit_title: String,
    commit_author: String,
    trigger: Trigger,
    principal_kind: PrincipalKind,
    principal_id: Option<Uuid>,
    state: BuildState,
    reason: Option<String>,
    detail: Option<String>,
    failure: Option<String>,
    digest: Option<String>,
    no_cache: bool,
    rerun_of: Option<Uuid>,
    superseded_by: Option<Uuid>,
    requeues: i64,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    cancel_requested_at: Option<i64>,
    cancelled_by: Option<String>,
});

entity!(build_attempt "build_attempt" {
    build_id: Uuid,
    number: i64,
    builder: String,
    token_hash: String,
    lease_until: i64,
    started_at: i64,
    ended_at: Option<i64>,
    end_reason: Option<AttemptEnd>,
    last_record: i64,
    log_bytes: i64,
    log_cut: Option<String>,
    log_notices: Option<String>,
    protection: Protection,
});

entity!(build_step "build_step" {
    attempt_id: Uuid,
    step: i64,
    vertex: String,
    name: String,
    is_cached: bool,
    started_at: Option<i64>,
    completed_at: Option<i64>,
    error: Option<String>,
    lines: i64,
    progress: Option<String>,
    notices: Option<String>,
    errors: Option<String>,
});

entity!(log_batch "log_batch" {
    attempt_id: Uuid,
    first: i64,
    last: i64,
    body: Vec<u8>,
    places: Option<String>,
});

entity!(sealed_log "sealed_log" {
    attempt_id: Uuid,
    storage_key: ObjectKey,
    records: i64,
    size_bytes: i64,
    index: String,
});

entity!(material "material" {
    build_id: Uuid,
    uri: String,
    digest: String,
});

entity!(allowed_base "allowed_base" {
    repository_id: Uuid,
    base_id: Uuid,
    created_at: i64,
});

entity!(bases_to_list "bases_to_list" {});
