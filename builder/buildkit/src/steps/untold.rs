//! Steps that were there before and that the daemon says nothing of. It does so when another build looked a step up at the
//! same time: that one is told of it, and ours only of what comes after.

use std::collections::HashSet;

use super::{Steps, twins};
use crate::event::Event;

impl Steps {
    /// The steps that must be there, since the one of this vertex begins.
    pub(super) fn before(&mut self, digest: &str, at: i64, events: &mut Vec<Event>) {
        let own = self.twins.first(digest).to_owned();
        let untold = self.walk(&own, &mut HashSet::new());
        self.taken(untold.into_iter().filter(|before| *before != own), at, events);
    }

    /// The steps that nothing was said of in a build that went well.
    pub(crate) fn rest(&mut self) -> Vec<Event> {
        let mut walked = HashSet::new();
        let ends = self.seen.keys().map(|end| self.twins.first(end)).filter(|end| self.index_of(end).is_none());
        let mut ends: Vec<&str> = ends.collect();
        ends.sort_unstable();
        let untold: Vec<String> = ends.into_iter().flat_map(|end| self.walk(end, &mut walked)).collect();
        let mut events = Vec::new();
        self.taken(untold.into_iter(), self.last, &mut events);
        events
    }

    fn taken(&mut self, digests: impl Iterator<Item = String>, at: i64, events: &mut Vec<Event>) {
        for digest in digests {
            let is_step = self.seen.get(&digest).is_some_and(|seen| twins::is_step(&seen.name));
            if is_step && self.index_of(&digest).is_none() {
                events.push(self.start(&digest, at));
                events.push(Event::StepDone { index: self.len(), cached: true, error: None, at });
            }
        }
    }

    /// This vertex and all before it that have no number, the first ones first.
    fn walk(&self, digest: &str, walked: &mut HashSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        let mut ahead = vec![(digest, false)];
        while let Some((digest, is_below_done)) = ahead.pop() {
            if is_below_done {
                found.push(digest.to_owned());
            } else if walked.insert(digest.to_owned())
                && let Some(seen) = self.seen.get(digest)
            {
                ahead.push((digest, true));
                let inputs = seen.inputs.iter().map(|input| self.twins.first(input));
                ahead.extend(inputs.filter(|input| self.index_of(input).is_none()).map(|input| (input, false)));
            }
        }
        found
    }
}
