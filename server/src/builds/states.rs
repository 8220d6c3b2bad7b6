//! Which state follows which. Everything that changes a build's state goes through `enter`.

use crate::clock::Millis;
use crate::db::{BuildState, rows};
use crate::error::{Error, Result};

/// Whether nothing follows.
pub fn is_over(state: BuildState) -> bool {
    !matches!(state, BuildState::Queued | BuildState::Running)
}

fn may_follow(from: BuildState, to: BuildState) -> bool {
    use BuildState::{Cancelled, Failed, PartlyFailed, Queued, Running, Skipped, Succeeded, TimedOut};
    match from {
        Queued => matches!(to, Running | Skipped | Cancelled | Failed),
        // Back to the queue when the builder was lost.
        Running => matches!(to, Queued | Succeeded | PartlyFailed | Failed | Cancelled | TimedOut),
        _ => false,
    }
}

/// Why a build is where it is: a stable word, and a sentence for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Why {
    pub reason: Option<String>,
    pub detail: Option<String>,
}

impl Why {
    pub(super) fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), detail: Some(detail.into()) }
    }
}

/// Moves the build on, in memory; a move that is not in the picture is refused.
pub(super) fn enter(build: &mut rows::Build, to: BuildState, why: Why, now: Millis) -> Result<()> {
    if !may_follow(build.state, to) {
        return Err(Error::Conflict(format!("build {} is {} and cannot become {to}", build.number, build.state)));
    }
    build.state = to;
    build.reason = why.reason;
    build.detail = why.detail;
    match to {
        BuildState::Queued => build.started_at = None,
        BuildState::Running => build.started_at = Some(now),
        _ => build.finished_at = Some(now),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use BuildState::*;

    const ALL: [BuildState; 8] = [Queued, Running, Succeeded, PartlyFailed, Failed, Cancelled, TimedOut, Skipped];

    #[test]
    fn only_the_moves_of_the_picture_are_legal() {
        let legal = [
            (Queued, vec![Running, Failed, Cancelled, Skipped]),
            (Running, vec![Queued, Succeeded, PartlyFailed, Failed, Cancelled, TimedOut]),
        ];
        for from in ALL {
            for to in ALL {
                let expected = legal.iter().any(|(f, tos)| *f == from && tos.contains(&to));
                assert_eq!(may_follow(from, to), expected, "{from} to {to}");
            }
        }
    }

    #[test]
    fn an_end_is_an_end() {
        for state in ALL {
            assert_eq!(is_over(state), ALL.into_iter().all(|to| !may_follow(state, to)), "{state}");
        }
    }
}
