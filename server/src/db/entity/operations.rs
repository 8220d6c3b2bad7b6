//! Jobs, events, keys.

use super::values::{JobState, Lane, PrincipalKind};
use uuid::Uuid;

entity!(job "job" {
    lane: Lane,
    kind: String,
    payload: String,
    dedupe_key: Option<String>,
    state: JobState,
    run_at: i64,
    locked_until: Option<i64>,
    attempts: i64,
    last_error: Option<String>,
    cause: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
    deaths: i64,
});

entity!(event "event" {
    version: i64,
    kind: String,
    namespace_id: Option<Uuid>,
    repository_id: Option<Uuid>,
    subject: String,
    principal_kind: PrincipalKind,
    principal_id: Option<Uuid>,
    cause: Option<String>,
    request_id: Option<String>,
    body: String,
    at: i64,
});

entity!(signing_key "signing_key" {
    scope: String,
    namespace_id: Option<Uuid>,
    algorithm: String,
    public_pem: String,
    private_encrypted: Vec<u8>,
    fingerprint: String,
    created_at: i64,
    retired_at: Option<i64>,
    published_at: Option<i64>,
    revoked_at: Option<i64>,
});

entity!(signing_run "signing_run" {
    namespace_id: Uuid,
    key_id: Uuid,
    total: i64,
    looked: i64,
    signed: i64,
    skipped: i64,
    cursor: Option<Uuid>,
    started_at: i64,
    finished_at: Option<i64>,
});
