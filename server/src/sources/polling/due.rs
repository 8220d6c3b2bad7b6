//! When a source is looked at: by the clock, and soon after each delivery.

use crate::app::App;
use crate::clock::{MINUTE, Millis, SECOND};
use crate::db::{self, Tx, rows};
use crate::error::Result;

/// Sources with a working webhook, and those that are gone, are compared this often.
pub(super) const RECONCILE: Millis = 15 * MINUTE;
/// Sources that cannot be reached are tried this often at most.
const RETRY: Millis = MINUTE;
/// A forge that asks us to wait is not asked to wait longer than an hour.
const LONGEST_WAIT: Millis = 61 * MINUTE;
/// Other deliveries of the same push, and the forge's list, may be a moment behind a delivery.
const SOON: Millis = 2 * SECOND;
/// Refs on a page of the forge's list.
const REFS_PER_PAGE: u64 = 100;
/// Of the 5,000 questions an hour that GitHub answers, a source that is pushed to without end takes 1,800 in this way.
const QUESTION_EVERY: Millis = 2 * SECOND;
/// Branches, tags, and the repository itself.
const FEWEST_QUESTIONS: i64 = 3;
const LONGEST_PAUSE: Millis = 5 * MINUTE;
/// A delivery is followed by the others of its push within this time.
const TOGETHER: Millis = 30 * SECOND;

/// The sources that should be looked at now.
pub async fn due(app: &App, limit: u64) -> Result<Vec<rows::Source>> {
    let now = app.clock.now();
    let poll = i64::try_from(app.config.poll_secs).unwrap_or(i64::MAX / 2_000).saturating_mul(SECOND);
    db::sources::due(&app.db, now - poll, now - poll.max(RETRY), now - RECONCILE, now + LONGEST_WAIT, limit).await
}

/// Whether sources are due, and nobody here is at it.
pub async fn is_wanted(app: &App) -> Result<bool> {
    let is_free = app.polls.try_lock().is_ok();
    Ok(is_free && !due(app, 1).await?.is_empty())
}

/// Makes a source due that a signed delivery came for, whatever that says. GitHub says nothing of a push of more than three
/// tags, but tells of the branch that came with them; and what nobody could read may have told of a push.
pub async fn after_delivery(app: &App, tx: &Tx, source: &rows::Source) -> Result<()> {
    let now = app.clock.now();
    let Some(polled_at) = source.polled_at.filter(|_| !is_due_soon(app, source)) else { return Ok(()) };
    let pause = pause_after(db::sources::refs::count_live(tx, source.id).await?);
    if polled_at <= now + pause - RECONCILE {
        return Ok(());
    }
    db::sources::bring_forward(tx, source.id, (now + SOON).max(polled_at + pause) - RECONCILE).await
}

/// Whether it will be looked at in a moment anyway: never looked at, or told of just before.
pub fn is_due_soon(app: &App, source: &rows::Source) -> bool {
    source.polled_at.is_none_or(|at| at <= app.clock.now() + SOON - RECONCILE)
}

/// The least time between two looks, by the number of refs that one asks for.
fn pause_after(refs: u64) -> Millis {
    let pages = i64::try_from(refs / REFS_PER_PAGE).unwrap_or(i64::MAX).min(LONGEST_PAUSE / QUESTION_EVERY);
    ((pages + FEWEST_QUESTIONS) * QUESTION_EVERY).min(LONGEST_PAUSE)
}

/// Whether a look was due because of a delivery that came a moment before it: others of the same push may be on their way,
/// and the webhook is not to blame for what they tell.
pub(super) fn is_right_after_delivery(source: &rows::Source, began: Millis) -> bool {
    source.polled_at.is_some_and(|at| at <= began - RECONCILE)
        && source.delivered_at.is_some_and(|at| (began - at).abs() < TOGETHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_a_large_source_are_further_apart() {
        assert_eq!([0, 99, 100, 10_000].map(pause_after), [6, 6, 8, 206].map(|secs| secs * SECOND));
        assert_eq!(pause_after(u64::MAX), LONGEST_PAUSE);
    }
}
