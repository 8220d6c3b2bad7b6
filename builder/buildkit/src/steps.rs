//! The daemon's status messages, made into events: which vertex is which step, and what is new about it.
//!
//! Two builds that come to the same work at once share it, and each is told of the other's vertex beside its own. These
//! two are one step (`twins`).

mod twins;
mod untold;

use std::collections::HashMap;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};
use bytes::Bytes;

use crate::event::{Event, LogStream};
use twins::Twins;

/// The steps of one build so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    indexes: HashMap<String, u32>,
    seen: HashMap<String, Seen>,
    twins: Twins,
    /// When the first of them did: what others had done by then was there already.
    began: Option<i128>,
    /// The last time that was told, in milliseconds since 1970.
    last: i64,
}

/// What was last said of a vertex.
#[derive(Debug, Default)]
struct Seen {
    name: String,
    inputs: Vec<String>,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
    is_open: bool,
    cached: bool,
    error: Option<String>,
}

impl Steps {
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.indexes.len()).unwrap_or(u32::MAX)
    }

    /// The events of one message, in the order in which they make sense: starts, output, ends.
    pub(crate) fn apply(&mut self, mut message: StatusResponse) -> Vec<Event> {
        let mut events = Vec::new();
        message.vertexes.sort_by_key(|vertex| vertex.started.as_ref().map(nanos));
        let mut ends = Vec::new();
        for vertex in message.vertexes {
            self.vertex(vertex, &mut events, &mut ends);
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

    fn vertex(&mut self, vertex: Vertex, starts: &mut Vec<Event>, ends: &mut Vec<Event>) {
        self.twins.note(&vertex.name, &vertex.digest);
        let seen = self.seen.entry(vertex.digest.clone()).or_default();
        seen.name.clone_from(&vertex.name);
        seen.inputs.clone_from(&vertex.inputs);
        let ended = vertex.completed.filter(|at| seen.completed.as_ref() != Some(at));
        // Lazy work starts a vertex again (exporting, then pushing): a new time of start re-opens it.
        if let Some(at) = vertex.started.filter(|at| seen.started.as_ref() != Some(at)) {
            self.began.get_or_insert(nanos(&at));
            self.last = self.last.max(millis(&at));
            seen.started = Some(at);
            seen.is_open = true;
            if let Some(known) = self.index_of(&vertex.digest) {
                let earlier = |end: &mut Event| matches!(end, Event::StepDone { index, .. } if *index == known);
                starts.extend(ends.extract_if(.., earlier));
            }
            // Work that goes on already is not begun again.
            if !self.others_of(&vertex.digest).any(|other| other.is_open) {
                self.before(&vertex.digest, millis(&at), starts);
                starts.push(self.start(&vertex.digest, millis(&at)));
            }
        }
        if let Some(at) = ended {
            self.last = self.last.max(millis(&at));
            let index = self.index(&vertex.digest, millis(&at), starts);
            if let Some(seen) = self.seen.get_mut(&vertex.digest) {
                seen.completed = Some(at);
                seen.is_open = false;
                seen.cached = vertex.cached;
                seen.error = Some(vertex.error).filter(|error| !error.is_empty());
            }
            ends.extend(self.end(&vertex.digest, index, millis(&at)));
        }
    }

    /// The end of a step, when all its vertices have come to theirs.
    fn end(&self, digest: &str, index: u32, at: i64) -> Option<Event> {
        if self.others_of(digest).any(|other| other.is_open) {
            return None;
        }
        let first = self.twins.first(digest);
        let own = self.seen.get(first).filter(|own| own.completed.is_some());
        let mut others = self.others_of(first).filter(|other| other.completed.is_some()).peekable();
        // Whoever did shared work tells how it was. Its own vertex counts as cached as soon as the next step begins.
        let cached = if others.peek().is_some() {
            others.all(|other| other.cached || other.completed.as_ref().map(nanos) <= self.began)
        } else {
            own.is_some_and(|own| own.cached)
        };
        let error = |seen: &Seen| seen.error.clone();
        let error = own.and_then(error).or_else(|| self.others_of(first).find_map(error));
        Some(Event::StepDone { index, cached, error, at })
    }

    /// What was said of the other vertices of the same step.
    fn others_of<'a>(&'a self, digest: &'a str) -> impl Iterator<Item = &'a Seen> {
        self.twins.of(digest).filter(move |other| *other != digest).filter_map(|other| self.seen.get(other))
    }

    fn log(&mut self, log: VertexLog, events: &mut Vec<Event>) {
        let at = log.timestamp.as_ref().map_or(0, millis);
        let index = self.index(&log.vertex, at, events);
        let stream = if log.stream == 2 { LogStream::Stderr } else { LogStream::Stdout };
        events.push(Event::StepLog { index, stream, at, bytes: Bytes::from(log.msg) });
    }

    fn progress(&mut self, status: VertexStatus, events: &mut Vec<Event>) {
        let at = status.timestamp.as_ref().map_or(0, millis);
        let index = self.index(&status.vertex, at, events);
        let VertexStatus { id, current, total, completed, .. } = status;
        events.push(Event::Progress { index, id, current, total, done: completed.is_some(), at });
    }

    fn warning(&mut self, warning: VertexWarning, events: &mut Vec<Event>) {
        let index = self.index(&warning.vertex, 0, events);
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

    /// The step of a vertex; one that nothing was said of yet is started on the way.
    fn index(&mut self, digest: &str, at: i64, events: &mut Vec<Event>) -> u32 {
        if let Some(index) = self.index_of(digest) {
            return index;
        }
        self.before(digest, at, events);
        events.push(self.start(digest, at));
        self.len()
    }

    fn index_of(&self, digest: &str) -> Option<u32> {
        self.indexes.get(self.twins.first(digest)).copied()
    }

    fn start(&mut self, digest: &str, at: i64) -> Event {
        let next = self.len() + 1;
        let first = self.twins.first(digest).to_owned();
        let index = *self.indexes.entry(first.clone()).or_insert(next);
        let (name, inputs) = match self.seen.get(&first) {
            Some(seen) => (seen.name.clone(), self.known(&seen.inputs)),
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
