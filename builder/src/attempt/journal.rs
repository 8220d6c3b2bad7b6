//! What happens in an attempt, on its way to the server.

use super::outbox::Outbox;
use crate::log::{Recorder, now};
use slipway_buildkit::{Event, LogStream};
use slipway_protocol::Stream;
use std::collections::HashSet;
use std::sync::Arc;

/// The step that fetches the source stands before BuildKit's.
const SOURCE_STEP: u32 = 1;

pub(crate) struct Journal {
    recorder: Recorder,
    outbox: Arc<Outbox>,
    /// Steps that look for a cache. A build without one is no worse.
    cache_steps: HashSet<u32>,
}

impl Journal {
    pub(super) fn new(recorder: Recorder, outbox: Arc<Outbox>) -> Self {
        Self { recorder, outbox, cache_steps: HashSet::new() }
    }

    /// Masks a text and gives the registry its public name.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.recorder.clean(text)
    }

    pub(crate) fn source_started(&mut self, name: &str) {
        self.recorder.started(SOURCE_STEP, "source", name, now());
        self.send();
    }

    pub(crate) fn source_done(&mut self, error: Option<&str>) {
        self.recorder.done(SOURCE_STEP, now(), false, error);
        self.send();
    }

    /// Something that Slipway says.
    pub(crate) fn notice(&mut self, text: &str) {
        self.recorder.notice(text);
        self.send();
    }

    /// Takes an event; waits while the server lags far behind.
    pub(crate) async fn apply(&mut self, event: Event) {
        self.apply_at_once(event);
        self.outbox.room().await;
    }

    /// Takes an event of which not many more will come.
    pub(crate) fn apply_at_once(&mut self, event: Event) {
        self.record(event);
        self.send();
    }

    /// Nothing more comes from BuildKit; `why` is written to steps that are still open.
    pub(super) fn end(&mut self, why: Option<&str>) {
        self.recorder.end(why);
        self.send();
    }

    fn record(&mut self, event: Event) {
        let log = &mut self.recorder;
        match event {
            Event::StepStarted { index, vertex, name, at, .. } => {
                if name.starts_with("importing cache") {
                    self.cache_steps.insert(index);
                }
                log.started(index + SOURCE_STEP, &vertex, &name, at);
            }
            Event::StepLog { index, stream, at, bytes } => {
                let stream = match stream {
                    LogStream::Stdout => Stream::Out,
                    LogStream::Stderr => Stream::Err,
                };
                log.output(index + SOURCE_STEP, stream, at, &bytes);
            }
            Event::Progress { index, id, current, total, done, .. } => {
                log.progress(index + SOURCE_STEP, &id, (current, total), done);
            }
            Event::StepDone { index, cached, error, at } => {
                let error = error.filter(|_| !self.cache_steps.contains(&index));
                log.done(index + SOURCE_STEP, at, cached, error.as_deref());
            }
            Event::Warning { short, file, lines, .. } => {
                let place = lines.first().map(|(first, _)| format!(" ({file} line {first})"));
                log.notice(&format!("warning: {short}{}", place.unwrap_or_default()));
            }
        }
    }

    fn send(&mut self) {
        self.outbox.add(self.recorder.take());
    }
}
