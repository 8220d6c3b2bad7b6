//! Rights that rest on an organisation at the forge, and how they end.
//!
//! Who was let in as a member of an organisation, or has a namespace as one of its owners, is asked about once a day and
//! at each sign-in. Only a definite "no" ends a right. Whoever cannot be asked for a week is suspended until the next
//! sign-in, and many at once wait for an admin.
//!
//! People are asked about at different hours, as they came. When a look finds that somebody left, it asks about the others
//! too, before anything ends: who left together is held together.
//!
//! ```text
//! ask ─► yes ─────────────► member
//!     ├► no ──┬► few ─────► left: roles, sessions and tokens end
//!     │       └► many ────► held ─► an admin confirms ─► left
//!     └► no answer ───────► seven days later: suspended
//! ```

mod arrival;
mod ask;
mod ending;
mod lists;
mod many;
mod settle;
#[cfg(test)]
mod tests;

pub(super) use arrival::at_sign_in;
pub use lists::{
    Confirmed, Departure, Group, Listed, all_departures, confirm, confirm_by_operator, departures, held_in,
};

use super::standing;
use crate::app::App;
use crate::clock::{DAY, Millis, SECOND};
use crate::db::{self, MembershipState, rows};
use crate::error::{Parts, Result};
use crate::jobs::{self, Task};

/// How long somebody may go without an answer of the forge.
pub const PATIENCE: Millis = 7 * DAY;
/// People of one organisation that one look asks about: about two calls each, of the 5,000 an hour that GitHub allows.
const MOST_ASKED: usize = 500;
/// Organisations that one hour asks about, one after the other.
const MOST_DUE: u64 = 100;
const APART: Millis = 20 * SECOND;
/// People of one transaction, some ten rows each.
const PIECE: usize = 25;

/// What the forge said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// In the organisation, which is called so now.
    Member {
        is_owner: bool,
        login: String,
    },
    Gone,
    /// Nothing that says yes or no: an outage, a limit, a refusal.
    Unknown {
        reason: String,
        /// The forge does not answer at all.
        is_down: bool,
    },
}

/// Queues a look at each organisation that was not asked about for a day, one after the other; and suspends those whose
/// way in nobody knows and who did not sign in for a week.
pub async fn ask_due(app: &App) -> Result<()> {
    let mut parts = Parts::default();
    parts.note("looking at people whose way in nobody knows", standing::of_unknown(app).await);
    parts.note("asking about organisations", ask_organizations(app).await);
    parts.end()
}

async fn ask_organizations(app: &App) -> Result<()> {
    let now = app.clock.now();
    let due = db::memberships::due(&app.db, now - DAY, MOST_DUE).await?;
    let tx = app.db.begin().await?;
    for (n, (forge_url, organization_id)) in (0..).zip(due) {
        enqueue(app, &tx, forge_url, organization_id, now + n * APART).await?;
    }
    tx.commit().await
}

async fn enqueue(app: &App, tx: &db::Tx, forge_url: String, organization_id: String, at: Millis) -> Result<()> {
    let key = format!("ask-organization:{forge_url}:{organization_id}");
    jobs::enqueue_at(app, tx, &Task::AskOrganization { forge_url, organization_id }, Some(key), at).await
}

/// Asks about the people of one organisation who were not asked about for a day; and about the others, if one of these
/// left.
pub async fn look(app: &App, forge_url: &str, organization_id: &str) -> Result<()> {
    let (now, of) = (app.clock.now(), (forge_url, organization_id));
    let all = db::memberships::of_organization(&app.db, forge_url, organization_id).await?;
    let (mut due, mut others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|m| m.asked_at.is_none_or(|at| at <= now - DAY));
    if due.is_empty() {
        return Ok(());
    }
    due.truncate(MOST_ASKED);
    let mut answers = ask::all(app, forge_url, organization_id, due).await?;
    // Who waits for an admin is asked about in time.
    others.retain(|m| m.state != MembershipState::Held);
    others.truncate(MOST_ASKED - answers.len());
    if !others.is_empty() && !many::going(app, of, &answers).await?.is_empty() {
        let more = ask::all(app, forge_url, organization_id, others).await?;
        // Whoever was not due and not answered about is asked about in time.
        answers.extend(more.into_iter().filter(|(_, answer)| !matches!(answer, Answer::Unknown { .. })));
    }
    settle::settle(app, of, answers, settle::Occasion::Day).await
}

/// Whether nobody could be asked for so long that the right is suspended.
pub(super) fn is_stale(row: &rows::Membership, now: Millis) -> bool {
    row.unanswered_since.is_some_and(|since| now - since >= PATIENCE)
}
