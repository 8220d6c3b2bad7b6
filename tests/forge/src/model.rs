//! What the forge remembers: accounts, repositories, hooks, statuses, tokens, deliveries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A person or an organisation; both own repositories.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) organization: bool,
    /// Members of an organisation; `true` marks an owner.
    pub(crate) members: BTreeMap<u64, bool>,
    /// The organisation has not approved the OAuth app.
    pub(crate) restricts_apps: bool,
    /// The organisation answers tokens only after its single sign-on.
    #[serde(default)]
    pub(crate) wants_sign_on: bool,
    pub(crate) created_at: String,
}

/// What somebody may do in a repository, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    None,
    Pull,
    Push,
    Admin,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: u64,
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) description: String,
    pub(crate) default_branch: String,
    pub(crate) collaborators: BTreeMap<u64, Permission>,
    /// `owner/name` as it was before a rename; the forge redirects from there.
    pub(crate) former_names: Vec<String>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) created_at: String,
    pub(crate) pushed_at: String,
}

/// A webhook of a repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    pub id: u64,
    pub active: bool,
    pub events: Vec<String>,
    pub url: String,
    pub content_type: String,
    pub secret: Option<String>,
    pub insecure_ssl: String,
    pub last_response: LastResponse,
    pub created_at: String,
    pub updated_at: String,
}

/// How the newest delivery of a hook ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastResponse {
    pub code: Option<u16>,
    pub status: String,
    pub message: Option<String>,
}

/// A commit status, as `POST /repos/{owner}/{repo}/statuses/{sha}` made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub id: u64,
    pub sha: String,
    pub state: String,
    pub context: String,
    pub description: Option<String>,
    pub target_url: Option<String>,
    pub creator: u64,
    pub created_at: String,
}

/// One attempt to hand an event to a hook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    pub id: u64,
    pub guid: String,
    pub hook_id: u64,
    pub repository_id: u64,
    pub event: String,
    pub url: String,
    pub delivered_at: String,
    pub redelivery: bool,
    /// Seconds.
    pub duration: f64,
    /// `OK`, or why not.
    pub status: String,
    /// 0 when no answer came.
    pub status_code: u16,
    pub request_headers: BTreeMap<String, String>,
    /// The JSON text of the event, before form encoding.
    pub payload: String,
    pub response_headers: BTreeMap<String, String>,
    pub response_body: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OAuthApp {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) name: String,
    pub(crate) callback_urls: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) person: u64,
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
}

/// Remembers that a person said yes, so that the consent page is shown once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) person: u64,
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
}

/// The time as GitHub writes it, in whole seconds.
pub(crate) fn now() -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).expect("zero is a nanosecond");
    now.format(&Rfc3339).expect("a time of our era has an RFC 3339 form")
}

/// Seconds since 1970 of a time that [`now`] wrote.
pub(crate) fn epoch(text: &str) -> i64 {
    OffsetDateTime::parse(text, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp)
}
