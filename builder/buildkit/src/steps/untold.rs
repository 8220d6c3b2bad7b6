//! Steps that were there before and that the daemon says nothing of. It does so when another build looks a step up at the
//! same time: that build is told of the step, and ours of the steps after it only.

use std::collections::HashSet;

use super::{Steps, twins};
use crate::event::Event;

impl Steps {
    /// The starts of steps that were held back, once they run for a while: a step that only says that it cannot begin says
    /// so at once.
    pub(crate) fn settle(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for (step, at) in self.held.clone() {
            if self.is_open(&step) {
                self.index(&step, at, true, &mut events);
            }
        }
        events
    }

    /// Whether steps wait for `settle`.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.held.iter().any(|(step, _)| self.is_open(step))
    }

    fn is_open(&self, step: &str) -> bool {
        self.twins.of(step).any(|vertex| self.seen.get(vertex).is_some_and(|seen| seen.is_open))
    }

    pub(super) fn has_untold_before(&self, step: &str) -> bool {
        self.walk(step, &mut HashSet::new()).iter().any(|before| before != step && self.is_untold_step(before))
    }

    /// Tells of the steps that must be there, since this one ran.
    pub(super) fn start_untold_before(&mut self, step: &str, at: i64, events: &mut Vec<Event>) {
        for before in self.walk(step, &mut HashSet::new()) {
            if before != step {
                self.start_cached(&before, at, events);
            }
        }
    }

    /// Tells of all steps that nothing was said of, in a build that goes well.
    pub(super) fn rest(&mut self, at: i64, events: &mut Vec<Event>) {
        let mut walked = HashSet::new();
        let ends = self.seen.keys().map(|end| self.twins.first(end)).filter(|end| self.index_of(end).is_none());
        let mut ends: Vec<&str> = ends.collect();
        ends.sort_unstable();
        let untold: Vec<String> = ends.into_iter().flat_map(|end| self.walk(end, &mut walked)).collect();
        for step in untold {
            self.start_cached(&step, at, events);
        }
    }

    fn start_cached(&mut self, step: &str, at: i64, events: &mut Vec<Event>) {
        if self.is_untold_step(step) {
            self.held.retain(|(held, _)| held != step);
            events.push(self.start(step, at));
            events.push(Event::StepDone { index: self.len(), cached: true, error: None, at });
        }
    }

    /// Of a step that runs more will be said.
    fn is_untold_step(&self, step: &str) -> bool {
        // Whatever is kept of another build's vertex is none of ours.
        let is_step =
            !self.twins.is_foreign(step) && self.seen.get(step).is_some_and(|seen| twins::is_step(&seen.name));
        is_step && self.index_of(step).is_none() && !self.is_open(step)
    }

    /// This vertex and all before it that have no number, the first ones first.
    fn walk(&self, digest: &str, walked: &mut HashSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        let mut ahead = vec![(digest, false)];
        while let Some((digest, are_inputs_done)) = ahead.pop() {
            if are_inputs_done {
                found.push(digest.to_owned());
            } else if walked.insert(digest.to_owned()) && self.seen.contains_key(digest) {
                ahead.push((digest, true));
                let own = self.twins.of(digest).filter(|vertex| self.twins.is_own(vertex));
                let inputs = own.filter_map(|vertex| self.seen.get(vertex)).flat_map(|seen| &seen.inputs);
                let inputs = inputs.map(|input| self.twins.first(input));
                ahead.extend(inputs.filter(|input| self.index_of(input).is_none()).map(|input| (input, false)));
            }
        }
        found
    }
}
