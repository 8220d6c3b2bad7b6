//! People, what they sign in with, namespaces and roles.

use super::values::{Admission, ConnectionState, MembershipState, NamespaceKind, Role, Suspension};
use uuid::Uuid;

entity!(user "user" {
    name: String,
    display_name: Option<String>,
    is_site_admin: bool,
    created_at: i64,
    disabled_at: Option<i64>,
    admitted_by: Option<Admission>,
    admitted_at: Option<i64>,
    suspended_at: Option<i64>,
    suspended_because: Option<Suspension>,
});

entity!(identity "identity" {
    user_id: Uuid,
    forge: String,
    forge_url: String,
    remote_id: String,
    login: String,
    created_at: i64,
    updated_at: i64,
});

entity!(connection "connection" {
    identity_id: Uuid,
    scopes: String,
    token_encrypted: Vec<u8>,
    state: ConnectionState,
    state_detail: Option<String>,
    listed_at: Option<i64>,
    listing_error: Option<String>,
    created_at: i64,
    updated_at: i64,
});

entity!(session "session" {
    hash: String,
    user_id: Uuid,
    user_agent: Option<String>,
    address: Option<String>,
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
});

entity!(sign_in "sign_in" {
    state_hash: String,
    browser_hash: String,
    verifier_encrypted: Vec<u8>,
    purpose: String,
    next: String,
    invite_hash: Option<String>,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
});

entity!(invite "invite" {
    hash: String,
    makes_site_admin: bool,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
    used_by: Option<Uuid>,
});

entity!(token "token" {
    user_id: Uuid,
    name: String,
    prefix: String,
    hash: String,
    scopes: String,
    created_at: i64,
    expires_at: Option<i64>,
    used_at: Option<i64>,
    used_address: Option<String>,
    revoked_at: Option<i64>,
});

entity!(namespace "namespace" {
    name: String,
    kind: NamespaceKind,
    forge_url: Option<String>,
    forge_account_id: Option<String>,
    created_at: i64,
});

entity!(namespace_grant "namespace_grant" {
    namespace_id: Uuid,
    user_id: Uuid,
    role: Role,
    created_at: i64,
    via_account_id: Option<String>,
    suspended_at: Option<i64>,
});

entity!(membership "membership" {
    user_id: Uuid,
    forge_url: String,
    organization_id: String,
    organization_login: String,
    state: MembershipState,
    is_member: bool,
    asked_at: Option<i64>,
    answered_at: Option<i64>,
    unanswered_since: Option<i64>,
    detail: Option<String>,
    ended: Option<String>,
    changed_at: i64,
});
