//! The stages of a build: queue, build, signature, tags.

use super::super::page::count;
use super::super::present;
use super::super::views::build::Stage;
use super::super::views::facts::State;
use crate::app::App;
use crate::db::{BuildState, rows};

pub(super) fn of(app: &App, build: &rows::Build, moves_tags: bool) -> Vec<Stage> {
    let begun = build.started_at.is_some();
    let unsigned = build.reason.as_deref() == Some("signing_failed");
    let [queue, work, sign, tags] = states(build.state, begun, unsigned, moves_tags);
    let waited = build.started_at.map(|at| count((at - build.created_at) / 1_000));
    let row = |name: &str, state, secs| Stage { name: name.to_owned(), state, secs };
    vec![
        row("Queue", queue, waited),
        row("Build", work, present::seconds(app, build)),
        row("Sign", sign, None),
        row("Move tags", tags, None),
    ]
}

/// Queue, build, signature, tags. The first one that did not go well has the build's own state.
fn states(build: BuildState, begun: bool, unsigned: bool, moves_tags: bool) -> [State; 4] {
    use State::{Queued, Skipped, Succeeded};
    let outcome = present::state(build);
    match build {
        BuildState::Queued => [Queued; 4],
        BuildState::Running => [Succeeded, outcome, Queued, Queued],
        BuildState::Succeeded if moves_tags => [Succeeded; 4],
        BuildState::Succeeded => [Succeeded, Succeeded, Succeeded, Skipped],
        _ if unsigned => [Succeeded, Succeeded, outcome, Skipped],
        _ if begun => [Succeeded, outcome, Skipped, Skipped],
        _ => [outcome, Skipped, Skipped, Skipped],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_agree_with_the_build() {
        use State::{Cancelled, Failed, Queued, Running, Skipped, Succeeded};
        for ((build, begun, unsigned, moves_tags), expected) in [
            ((BuildState::Queued, false, false, true), [Queued, Queued, Queued, Queued]),
            ((BuildState::Running, true, false, true), [Succeeded, Running, Queued, Queued]),
            ((BuildState::Succeeded, true, false, true), [Succeeded, Succeeded, Succeeded, Succeeded]),
            ((BuildState::Succeeded, true, false, false), [Succeeded, Succeeded, Succeeded, Skipped]),
            ((BuildState::Failed, true, false, true), [Succeeded, Failed, Skipped, Skipped]),
            ((BuildState::Failed, true, true, true), [Succeeded, Succeeded, Failed, Skipped]),
            ((BuildState::Cancelled, true, false, true), [Succeeded, Cancelled, Skipped, Skipped]),
            ((BuildState::Cancelled, false, false, true), [Cancelled, Skipped, Skipped, Skipped]),
            ((BuildState::Skipped, false, false, true), [Skipped, Skipped, Skipped, Skipped]),
        ] {
            assert_eq!(states(build, begun, unsigned, moves_tags), expected, "{build:?}, begun: {begun}");
        }
    }
}
