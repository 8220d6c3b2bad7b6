//! The daemon's status messages, made into events: which vertex is which step, and what is new about it.

use std::collections::HashMap;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};
use bytes::Bytes;

use crate::event::{Event, LogStream};

/// The steps of one build so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    indexes: HashMap<String, u32>,
    seen: HashMap<String, Seen>,
}

/// What was last said of a vertex.
#[derive(Debug, Default)]
struct Seen {
    name: String,
    inputs: Vec<String>,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
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
        let seen = self.seen.entry(vertex.digest.clone()).or_default();
        seen.name.clone_from(&vertex.name);
        seen.inputs.clone_from(&vertex.inputs);
        let ended = vertex.completed.filter(|at| seen.completed.as_ref() != Some(at));
        // Lazy work starts a vertex again (exporting, then pushing): a new time of start re-opens it.
        if let Some(at) = vertex.started.filter(|at| seen.started.as_ref() != Some(at)) {
            seen.started = Some(at);
            if let Some(known) = self.indexes.get(&vertex.digest) {
                let earlier = |end: &mut Event| matches!(end, Event::StepDone { index, .. } if index == known);
                starts.extend(ends.extract_if(.., earlier));
            }
            starts.push(self.start(&vertex.digest, millis(&at)));
        }
        if let Some(at) = ended {
            let index = self.index(&vertex.digest, millis(&at), starts);
            if let Some(seen) = self.seen.get_mut(&vertex.digest) {
                seen.completed = Some(at);
            }
            let error = Some(vertex.error).filter(|error| !error.is_empty());
            ends.push(Event::StepDone { index, cached: vertex.cached, error, at: millis(&at) });
        }
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
        if let Some(index) = self.indexes.get(digest) {
            return *index;
        }
        events.push(self.start(digest, at));
        self.len()
    }

    fn start(&mut self, digest: &str, at: i64) -> Event {
        let next = self.len() + 1;
        let index = *self.indexes.entry(digest.to_owned()).or_insert(next);
        let (name, inputs) = match self.seen.get(digest) {
            Some(seen) => (seen.name.clone(), self.known(&seen.inputs)),
            None => (String::new(), Vec::new()),
        };
        Event::StepStarted { index, vertex: digest.to_owned(), name, inputs, at }
    }

    fn known(&self, digests: &[String]) -> Vec<u32> {
        digests.iter().filter_map(|digest| self.indexes.get(digest).copied()).collect()
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
