//! Code hosts, as the rest of the server sees them: one interface, in our words.
//!
//! A `Forge` acts for one token. It is cheap to make, `Send + Sync`, and may be used by many tasks at once; all share one
//! pool of connections. No call is repeated here: jobs repeat. Each call ends within half a minute and holds a bounded
//! answer, however the forge behaves. What the errors mean is said at `ForgeError`:
//! `Revoked` is about the token and asks for "Connect again"; `NotFound` also means "this token may not see or do it";
//! `NotApproved` is about the organisation; `RateLimited` and `Unreachable` pass; `Refused` does not.

mod addresses;
pub mod git;
mod github;
mod memberships;
mod refusals;
mod rest;
mod shapes;

pub use addresses::Addresses;
pub use github::Forges;
pub use memberships::InOrganization;
pub use refusals::meaning;

use crate::app::App;
use crate::clock::Millis;
use crate::db::{ConnectionState, NamespaceKind, rows};
use crate::error::{Error, ForgeError, Result};
use crate::names::{CommitHash, RefName};
use crate::secrets::{Place, Secret};
use std::time::Duration;

/// Acts at the forge with one token.
pub struct Forge {
    client: github::Client,
    /// `https://github.com`, without a slash at the end.
    url: String,
}

/// An organisation that the person is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub id: String,
    pub login: String,
    pub is_owner: bool,
}

/// Who a code repository belongs to: a person or an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub id: String,
    pub login: String,
    pub kind: NamespaceKind,
}

/// A code repository as the forge describes it to this token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRepository {
    pub id: String,
    pub name: String,
    /// `acme/web`
    pub full_name: String,
    pub owner: Owner,
    pub is_private: bool,
    pub can_admin: bool,
    pub default_branch: String,
    pub html_url: String,
    pub clone_url: String,
    pub pushed_at: Option<Millis>,
}

/// Some of many, and whether these were the last ones.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub is_last: bool,
}

/// All branches and tags with the commits they are at (annotated tags: the commit that they name).
#[derive(Debug)]
pub struct Heads {
    pub refs: Vec<(RefName, CommitHash)>,
    /// False when there are more than we read: what is missing here may exist.
    pub is_complete: bool,
    /// Why the forge lists branches only.
    pub no_tags: Option<ForgeError>,
    /// Opaque; given back with the next question, it may answer "nothing changed" for free.
    pub memory: String,
}

/// The answer to a question with a memory.
#[derive(Debug)]
pub enum Changed<T> {
    Nothing,
    New(T),
}

/// What a build shows of its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub hash: CommitHash,
    pub message: String,
    pub author: String,
}

/// The files of a commit.
#[derive(Debug)]
pub struct Tree {
    pub files: Vec<String>,
    /// False when the forge, or our own limit, cut the list.
    pub is_complete: bool,
}

/// The words that forges have for a commit's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    Pending,
    Success,
    Failure,
    Error,
}

/// What a commit shows of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    pub state: StatusState,
    /// One line of the commit's list: the same context replaces it.
    pub context: String,
    pub target_url: String,
    /// GitHub takes 140 characters; longer ones are cut here.
    pub description: String,
}

impl Forge {
    /// Acts with a token that is not stored yet, as the sign-in has it.
    pub fn with_token(app: &App, token: &Secret) -> Result<Self> {
        let url = app.config.github.as_ref().map(|github| plain(github.url.as_str()));
        let url = url.ok_or_else(|| Error::Unavailable("no forge is set up here".into()))?;
        Ok(Self { client: app.forges.client(&url, token)?, url })
    }

    /// Acts with the stored token of a connection at the forge that issued it.
    pub fn of_connection(app: &App, forge_url: &str, connection: &rows::Connection) -> Result<Self> {
        if connection.state == ConnectionState::Revoked {
            return Err(ForgeError::Revoked.into());
        }
        let forge = Self::with_token(app, &token_of(app, connection)?)?;
        // A token must not travel to another host when the operator points us to one.
        if forge.url != plain(forge_url) {
            return Err(Error::Unavailable(format!("the forge {forge_url} is not set up here any more")));
        }
        Ok(forge)
    }

    /// `https://github.com`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Several questions that somebody waits for in a browser: each may take half a minute, and together they have `time`.
pub async fn within<T>(time: Duration, questions: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_elapsed| ForgeError::Unreachable(format!("it did not answer everything within {} s", time.as_secs()));
    tokio::time::timeout(time, Box::pin(questions)).await.map_err(late)?
}

/// The stored token in the clear; for calls to its own forge only.
pub fn token_of(app: &App, connection: &rows::Connection) -> Result<Secret> {
    let place = Place { table: "connection", column: "token_encrypted", row: connection.id };
    app.master_key.open_text(place, &connection.token_encrypted)
}

/// A forge's URL as rows hold it.
pub fn plain(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// Where people see which organisations let an app in, and ask the others (GitHub's "Authorized OAuth Apps").
pub fn approval_page(forge_url: &str, client_id: &str) -> String {
    format!("{}/settings/connections/applications/{client_id}", plain(forge_url))
}

impl Commit {
    /// The first line of the message, as far as a page shows it.
    pub fn title(&self) -> String {
        title_of(&self.message)
    }

    /// The author's name, as far as a page shows it.
    pub fn author_name(&self) -> String {
        short(&self.author)
    }
}

/// The first line of a commit message, at most 200 characters.
pub fn title_of(message: &str) -> String {
    short(message.trim_start().lines().next().unwrap_or_default().trim_end())
}

/// At most 200 characters, and none that a terminal or a database would take for more than a letter.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn somebody_who_waits_is_told_that_the_forge_is_slow() {
        let slow = within::<()>(Duration::from_millis(5), std::future::pending()).await;
        assert!(matches!(slow, Err(Error::Forge(ForgeError::Unreachable(_)))), "{slow:?}");
        assert!(matches!(within(Duration::from_mins(1), async { Ok(7) }).await, Ok(7)));
    }
}
