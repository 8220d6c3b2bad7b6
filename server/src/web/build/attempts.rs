//! The tries of a build, told when there was more than one, or the only one was lost.

use super::super::origin::Origin;
use super::super::page::{count, when};
use super::super::present;
use super::super::views::build::Attempt;
use crate::app::App;
use crate::builds;
use crate::db::{AttemptEnd, BuildState, rows};
use crate::error::Result;

/// What the page says of `tries`, oldest first; nothing when there is nothing to say.
pub(super) async fn of(
    app: &App,
    build: &rows::Build,
    origin: &Origin,
    tries: &[rows::Attempt],
) -> Result<Vec<Attempt>> {
    let mut told = Vec::new();
    if tries.len() < 2 && tries.iter().all(|a| !is_lost(build, a)) {
        return Ok(told);
    }
    for (at, attempt) in tries.iter().enumerate() {
        let is_lost = is_lost(build, attempt) || at + 1 < tries.len();
        let why = if is_lost { builds::log::last_notice(app, attempt).await? } else { None };
        told.push(Attempt {
            number: count(attempt.number),
            state: (!is_lost).then(|| present::state(build.state)),
            why: why.map(|why| origin.told(why)),
            at: when(app, attempt.ended_at.unwrap_or(attempt.started_at)),
            secs: attempt.ended_at.map(|ended| count((ended - attempt.started_at) / 1_000)),
        });
    }
    Ok(told)
}

/// A build that the server ended because its builder did not is timed out, and not lost.
fn is_lost(build: &rows::Build, attempt: &rows::Attempt) -> bool {
    attempt.end_reason == Some(AttemptEnd::Lost) && build.state != BuildState::TimedOut
}

/// What an open page says when the log of a newer attempt takes the place of an older one.
pub(super) async fn succession(app: &App, tries: &[rows::Attempt]) -> Result<String> {
    let (Some(now), before) = (tries.last(), tries.iter().rev().nth(1)) else { return Ok(String::new()) };
    let why = match before {
        Some(lost) => builds::log::last_notice(app, lost).await?,
        None => None,
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Ok(format!("Attempt {} was lost{why}. This is attempt {}.", now.number - 1, now.number))
}
