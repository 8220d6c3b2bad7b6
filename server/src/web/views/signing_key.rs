//! The key that signs for a namespace: its part of the settings, and the two pages that change it.

use super::cut::Cut;
use super::facts::When;
use super::filters;
use super::layout::Layout;
use super::repository::RepositoryHead;
use askama::Template;

/// What the settings say of the key.
#[derive(Debug, Clone, Default)]
pub struct KeyFacts {
    /// `None` before the first signature.
    pub present: Option<KeyRow>,
    /// Those before, the newest first.
    pub old: Cut<KeyRow>,
    pub run: Option<RunFacts>,
}

impl KeyFacts {
    /// A key is changed when everything is signed with it, and not before.
    pub fn may_rotate(&self) -> bool {
        self.run.as_ref().is_none_or(|run| run.finished.is_some())
    }
}

#[derive(Debug, Clone)]
pub struct KeyRow {
    /// `SHA256:…`
    pub fingerprint: String,
    /// Where it can be fetched, for as long as the server lasts.
    pub url: String,
    pub made: When,
    pub revoked: bool,
}

/// How far signing again is.
#[derive(Debug, Clone)]
pub struct RunFacts {
    pub looked: u64,
    pub total: u64,
    pub signed: u64,
    pub skipped: u64,
    /// Whether `cosign.pub` answers with the new key already.
    pub published: bool,
    /// When it was done.
    pub finished: Option<When>,
    /// The key waits for somebody to publish it.
    pub held: bool,
}

/// `/{ns}/{repo}/-/settings/key/rotate`.
#[derive(Template)]
#[template(path = "settings/rotate.html")]
pub struct KeyRotate {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub key: KeyRow,
}

/// `/{ns}/{repo}/-/settings/key/revoke?key=`: the namespace's name is typed.
#[derive(Template)]
#[template(path = "settings/revoke.html")]
pub struct KeyRevoke {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub key: KeyRow,
    pub typed: String,
    /// The name was not right (status 422).
    pub error: Option<String>,
}
