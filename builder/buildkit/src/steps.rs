//! The daemon's status messages, made into events: which vertex is which step, and what is new about it.
//!
//! Builds that come to the same work at once share it, and each is told of the others' vertices beside its own. Those of
//! one instruction are one step (`twins`), and of some steps nothing is said at all (`untold`).

mod seen;
mod twins;
mod untold;

use std::collections::{HashMap, HashSet};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};
use bytes::Bytes;

use crate::event::{Event, LogStream};
use seen::Seen;
use twins::Twins;

/// The steps of one build so far. A step is named by the first of its vertices.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    indexes: HashMap<String, u32>,
    seen: HashMap<String, Seen>,
    twins: Twins,
    /// Steps that began, and when, while nothing was said of those before them: told when it is sure that they run.
    held: Vec<(String, i64)>,
    printed: HashSet<String>,
    /// When the first of them began: what others had done by then was there already.
    began: Option<i128>,
    /// The last time that was told, in milliseconds since 1970.
    last: i64,
}

impl Steps {
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.indexes.len()).unwrap_or(u32::MAX)
    }

    /// The vertex by which events name the step of this one.
    pub(crate) fn named(&self, digest: &str) -> String {
        self.twins.first(digest).to_owned()
    }

    /// The events of one message, in the order in which they make sense: starts, output, ends.
    pub(crate) fn apply(&mut self, mut message: StatusResponse) -> Vec<Event> {
        let mut events = Vec::new();
        self.twins.note(&message.vertexes);
        message.vertexes.sort_by_key(|vertex| vertex.started.as_ref().map(nanos));
        let mut ends = Vec::new();
        for vertex in message.vertexes {
            self.vertex(&vertex, &mut events, &mut ends);
        }
        for log in message.logs {
            self.log(log, &mut events);
        }
        for status in message.statuses {
            self.progress(status, &mut events);
        }
        for warning in message.warnings {
            self.warning(warning, &mut events);
        }
        events.append(&mut ends);
        events
    }

    /// What is left to say at the end. Only a build that went well, and whose messages all came, tells of every step.
    pub(crate) fn finish(&mut self, succeeded: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let mut given_up: Vec<_> = self.indexes.keys().chain(self.held.iter().map(|(step, _)| step)).cloned().collect();
        given_up.retain(|step| self.is_given_up(step));
        given_up.sort_by_key(|step| self.index_of(step));
        for step in given_up {
            let at = self.last;
            let index = self.index(&step, at, succeeded, &mut events);
            let members = self.twins.of(&step).filter_map(|vertex| self.seen.get(vertex));
            let error = members.filter(|_| !succeeded).find_map(|seen| seen.error.clone());
            let cached = succeeded && !self.printed.contains(&step);
            events.push(Event::StepDone { index, cached, error, at });
        }
        if succeeded {
            self.rest(self.last, &mut events);
        }
        events
    }

    fn vertex(&mut self, vertex: &Vertex, starts: &mut Vec<Event>, ends: &mut Vec<Event>) {
        if self.twins.is_foreign(&vertex.digest) {
            return;
        }
        let step = self.named(&vertex.digest);
        let was_done = self.others_of(&vertex.digest).any(Seen::went_well);
        let is_found = was_done && self.twins.is_own(&vertex.digest);
        let seen = self.seen.entry(vertex.digest.clone()).or_default();
        let (started, ended) = seen.take(vertex);
        if was_done && ended.is_some() && vertex.cached && vertex.error.is_empty() {
            // It was done; this one finds it now.
            return;
        }
        if let Some(at) = started {
            self.began.get_or_insert(nanos(&at));
            self.last = self.last.max(millis(&at));
            if let Some(known) = self.index_of(&step) {
                let earlier = |end: &mut Event| matches!(end, Event::StepDone { index, .. } if *index == known);
                starts.extend(ends.extract_if(.., earlier));
            }
            // Work that goes on already, or that another build did, is not begun again.
            if !is_found && !self.others_of(&vertex.digest).any(|other| other.is_open) {
                self.begin(&step, &vertex.name, millis(&at), starts);
            }
        }
        if let Some(at) = ended {
            self.last = self.last.max(millis(&at));
            let Some(seen) = self.seen.get(&vertex.digest).filter(|seen| was_done || !seen.is_given_up()) else {
                return;
            };
            let is_proof = seen.proves_that_it_ran();
            let index = self.index(&step, millis(&at), is_proof, starts);
            ends.extend(self.end(&step, index, millis(&at)));
        }
    }

    /// The end of a step, when all its vertices have come to theirs.
    fn end(&self, step: &str, index: u32, at: i64) -> Option<Event> {
        let members = || self.twins.of(step).filter_map(|vertex| self.seen.get(vertex).map(|seen| (vertex, seen)));
        if members().any(|(_, seen)| seen.is_open) {
            return None;
        }
        let ended = || members().filter(|(_, seen)| seen.completed.is_some());
        let mut theirs = ended().filter(|(vertex, _)| !self.twins.is_own(vertex)).peekable();
        // Whoever did shared work tells how it was. Its own vertex counts as cached as soon as the next step begins.
        let cached = if theirs.peek().is_some() {
            theirs.all(|(_, seen)| seen.cached || seen.completed.as_ref().map(nanos) <= self.began)
        } else {
            ended().all(|(_, seen)| seen.cached)
        };
        // One of them does for all: the others were given up.
        let good =
            ended().filter(|(_, seen)| seen.went_well()).filter_map(|(_, seen)| seen.completed.as_ref()).map(millis);
        if let Some(at) = good.max() {
            return Some(Event::StepDone { index, cached, error: None, at });
        }
        let error = ended().filter(|(_, seen)| !seen.is_given_up()).find_map(|(_, seen)| seen.error.clone());
        Some(Event::StepDone { index, cached, error, at })
    }

    /// What was said of the other vertices of the same step.
    fn others_of<'a>(&'a self, digest: &'a str) -> impl Iterator<Item = &'a Seen> {
        self.twins.of(digest).filter(move |other| *other != digest).filter_map(|other| self.seen.get(other))
    }

    /// Whether nothing came of a step so far but that it was given up.
    fn is_given_up(&self, step: &str) -> bool {
        let members = || self.twins.of(step).filter_map(|vertex| self.seen.get(vertex));
        members().any(Seen::is_given_up) && members().all(|seen| seen.started.is_none() || seen.is_given_up())
    }

    fn log(&mut self, log: VertexLog, events: &mut Vec<Event>) {
        if self.twins.is_foreign(&log.vertex) {
            return;
        }
        let at = log.timestamp.as_ref().map_or(0, millis);
        let index = self.index(&log.vertex, at, true, events);
        self.printed.insert(self.named(&log.vertex));
        let stream = if log.stream == 2 { LogStream::Stderr } else { LogStream::Stdout };
        events.push(Event::StepLog { index, stream, at, bytes: Bytes::from(log.msg) });
    }

    fn progress(&mut self, status: VertexStatus, events: &mut Vec<Event>) {
        if self.twins.is_foreign(&status.vertex) {
            return;
        }
        let at = status.timestamp.as_ref().map_or(0, millis);
        let index = self.index(&status.vertex, at, true, events);
        let VertexStatus { id, current, total, completed, .. } = status;
        events.push(Event::Progress { index, id, current, total, done: completed.is_some(), at });
    }

    fn warning(&mut self, warning: VertexWarning, events: &mut Vec<Event>) {
        let index = self.index(&warning.vertex, 0, false, events);
        let line = |position: Option<bollard_buildkit_proto::pb::Position>| {
            position.map_or(0, |position| u32::try_from(position.line).unwrap_or(0))
        };
        events.push(Event::Warning {
            index,
            level: warning.level,
            short: text(&warning.short),
            detail: warning.detail.iter().map(|detail| text(detail)).collect(),
            url: warning.url,
            file: warning.info.map(|info| info.filename).unwrap_or_default(),
            lines: warning.ranges.into_iter().map(|range| (line(range.start), line(range.end))).collect(),
        });
    }

    fn begin(&mut self, step: &str, name: &str, at: i64, events: &mut Vec<Event>) {
        if name.starts_with("exporting ") {
            // All that the image is made of is there.
            self.rest(at, events);
        }
        if self.index_of(step).is_none() && self.has_untold_before(step) {
            self.held.push((step.to_owned(), at));
        } else {
            events.push(self.start(step, at));
        }
    }

    /// The number of a vertex's step, which is started on the way if that was not told yet. It is proved that the step ran
    /// when all before it must be there.
    fn index(&mut self, digest: &str, at: i64, is_proof: bool, events: &mut Vec<Event>) -> u32 {
        if let Some(index) = self.index_of(digest) {
            return index;
        }
        let step = self.named(digest);
        let held = self.held.iter().position(|(held, _)| *held == step).map(|place| self.held.remove(place));
        let at = held.map_or(at, |(_, at)| at);
        if is_proof {
            self.start_untold_before(&step, at, events);
        }
        events.push(self.start(&step, at));
        self.len()
    }

    fn index_of(&self, digest: &str) -> Option<u32> {
        self.indexes.get(self.twins.first(digest)).copied()
    }

    fn start(&mut self, step: &str, at: i64) -> Event {
        let next = self.len() + 1;
        let first = self.named(step);
        let index = *self.indexes.entry(first.clone()).or_insert(next);
        let (name, inputs) = match self.seen.get(&first) {
            Some(seen) => (twins::shown(&seen.name), self.known(&seen.inputs)),
            None => (String::new(), Vec::new()),
        };
        Event::StepStarted { index, vertex: first, name, inputs, at }
    }

    fn known(&self, digests: &[String]) -> Vec<u32> {
        digests.iter().filter_map(|digest| self.index_of(digest)).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn nanos(at: &Timestamp) -> i128 {
    i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos)
}

pub(crate) fn millis(at: &Timestamp) -> i64 {
    at.seconds.saturating_mul(1000).saturating_add(i64::from(at.nanos) / 1_000_000)
}

#[cfg(test)]
mod tests;
