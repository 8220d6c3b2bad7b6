//! Whether a daemon gets on with its builds: one that answers may be stuck all the same.

#![expect(clippy::disallowed_methods, reason = "how long nothing went on is measured here alone")]

use slipway_buildkit::Event;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a daemon may have builds, work at none of them and say nothing.
const PATIENCE: Duration = Duration::from_mins(5);
/// What the steps are called that fetch a cache. All others wait for them, so that they are no work by themselves.
const IMPORT: &str = "importing cache manifest";

/// Of one daemon.
#[derive(Debug)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Instant,
    /// Steps of all builds that run. One that runs may be silent for as long as it likes.
    working: usize,
}

/// Of one build: its steps that run.
#[derive(Debug, Default)]
pub(super) struct Work(Mutex<HashSet<u32>>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(State { last: Instant::now(), working: 0 }))
    }
}

impl Progress {
    /// Something went on.
    pub(super) fn touch(&self) {
        self.with(|state| state.last = Instant::now());
    }

    /// Something went on in a build.
    pub(super) fn note(&self, work: &Work, event: &Event) {
        let mut steps = work.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = steps.len();
        match event {
            Event::StepStarted { index, name, .. } if !name.starts_with(IMPORT) => drop(steps.insert(*index)),
            Event::StepDone { index, .. } => drop(steps.remove(index)),
            _ => {}
        }
        self.with(|state| {
            state.last = Instant::now();
            state.working = state.working + steps.len() - before;
        });
    }

    /// A build is over.
    pub(super) fn leave(&self, work: &Work) {
        let steps = std::mem::take(&mut *work.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.with(|state| {
            state.last = Instant::now();
            state.working -= steps.len();
        });
    }

    /// Whether nothing went on for long, though there are builds.
    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck_for(PATIENCE)
    }

    fn is_stuck_for(&self, patience: Duration) -> bool {
        self.with(|state| state.working == 0 && state.last.elapsed() > patience)
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(index: u32, name: &str) -> Event {
        Event::StepStarted { index, vertex: String::new(), name: name.to_owned(), inputs: Vec::new(), at: 0 }
    }

    fn done(index: u32) -> Event {
        Event::StepDone { index, cached: false, error: None, at: 0 }
    }

    #[test]
    fn a_daemon_is_stuck_when_no_build_has_a_step_that_works() {
        let (progress, long, silent) = (Progress::default(), Work::default(), Work::default());
        let is_stuck = || {
            std::thread::sleep(Duration::from_millis(2));
            progress.is_stuck_for(Duration::from_millis(1))
        };
        assert!(is_stuck(), "builds were begun, and no step of any");
        progress.note(&silent, &started(1, "importing cache manifest from registry.example/cache"));
        assert!(is_stuck(), "an import is what others wait for");
        progress.note(&long, &started(1, "[2/3] RUN sleep 86400"));
        assert!(!is_stuck(), "a step may run for a day and say nothing");
        // As when it is exported and then pushed.
        progress.note(&long, &started(1, "[2/3] RUN sleep 86400"));
        progress.note(&long, &done(1));
        progress.note(&silent, &done(1));
        assert!(is_stuck());
        progress.note(&long, &started(2, "[3/3] RUN true"));
        progress.leave(&long);
        assert!(is_stuck(), "a build that is over has no steps");
        progress.touch();
        assert!(!progress.is_stuck(), "and five minutes are not over");
    }
}
