//! Turns the events of one build into records, in order.
//!
//! Steps come with their number, the order in which they appeared. Nothing leaves here unmasked.

use super::mask::{Masker, Secrets};
use super::now;
use super::split::Splitter;
use crate::config::LogLimits;
use slipway_protocol::{Line, Record, StepDone, StepStarted, Stream};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Only the newest of these counts, so not each is sent.
const PROGRESS_EVERY: Duration = Duration::from_millis(300);

/// What the server keeps of each; as JSON a byte may take six, and one record must be smaller than a request.
const LONGEST_NAME: usize = 4 << 10;
const LONGEST_ID: usize = 200;
const LONGEST_TEXT: usize = 64 << 10;

/// The registry's address as the builder reaches it, and the one that people may read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub internal: String,
    pub public: String,
}

impl Hosts {
    fn publish(&self, text: &str) -> String {
        if self.internal.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.internal, &self.public)
    }
}

pub(crate) struct Recorder {
    secrets: Arc<Secrets>,
    hosts: Hosts,
    limits: LogLimits,
    steps: Vec<Step>,
    lines: u32,
    bytes: u64,
    full: bool,
    /// When each (step, id) was last told of.
    progress: HashMap<(u32, String), Instant>,
    ready: Vec<Record>,
}

#[derive(Default)]
struct Step {
    lines: u32,
    bytes: u64,
    full: bool,
    open: bool,
    /// A step of BuildKit itself (pull, export, push), whose texts name the internal registry.
    own: bool,
    streams: [Option<Output>; 2],
}

struct Output {
    masker: Masker,
    splitter: Splitter,
}

impl Recorder {
    pub(crate) fn new(secrets: Arc<Secrets>, hosts: Hosts, limits: LogLimits) -> Self {
        Self {
            secrets,
            hosts,
            limits,
            steps: Vec::new(),
            lines: 0,
            bytes: 0,
            full: false,
            progress: HashMap::new(),
            ready: Vec::new(),
        }
    }

    /// The records that came about since the last call.
    pub(crate) fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.ready)
    }

    /// Masks a text and gives the registry its public name.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.secrets.mask(&self.hosts.publish(text)).replace('\0', "\u{FFFD}")
    }

    /// After masking: a secret that is cut would not be known.
    fn cut(&self, text: &str, most: usize) -> String {
        let mut text = self.clean(text);
        text.truncate(text.floor_char_boundary(most));
        text
    }

    pub(crate) fn started(&mut self, step: u32, vertex: &str, name: &str, at: i64) {
        let (name, vertex) = (self.cut(name, LONGEST_NAME), self.cut(vertex, LONGEST_ID));
        let state = self.step(step);
        state.open = true;
        state.own = !name.starts_with('[') || name.starts_with("[internal]");
        self.ready.push(Record::StepStarted(StepStarted { step, vertex, name, at }));
    }

    /// Output of a step, cut anywhere.
    pub(crate) fn output(&mut self, step: u32, stream: Stream, at: i64, bytes: &[u8]) {
        let secrets = self.secrets.clone();
        let output = self.step(step).streams[index(stream)]
            .get_or_insert_with(|| Output { masker: Masker::new(secrets), splitter: Splitter::default() });
        let safe = output.masker.push(bytes);
        for text in output.splitter.push(&safe) {
            self.line(step, stream, at, text);
        }
    }

    /// Bytes or layers of a pull or push.
    pub(crate) fn progress(&mut self, step: u32, id: &str, (current, total): (i64, i64), done: bool) {
        let id = self.cut(id, LONGEST_ID);
        let key = (step, id.clone());
        let recent = self.progress.get(&key).is_some_and(|at| at.elapsed() < PROGRESS_EVERY);
        if recent && !done {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "measures how often")]
        self.progress.insert(key, Instant::now());
        self.ready.push(Record::Progress { step, id, current, total });
    }

    pub(crate) fn done(&mut self, step: u32, at: i64, cached: bool, error: Option<&str>) {
        self.flush(step, at);
        self.step(step).open = false;
        let error = error.map(|text| self.cut(text, LONGEST_TEXT));
        self.ready.push(Record::StepDone(StepDone { step, at, cached, error }));
    }

    pub(crate) fn notice(&mut self, text: &str) {
        let text = self.cut(text, LONGEST_TEXT);
        self.ready.push(Record::Notice { at: now(), text });
    }

    /// The build is over: whatever is open ends here. `why` marks steps that never came to an end.
    pub(crate) fn end(&mut self, why: Option<&str>) {
        let at = now();
        for step in 1..=u32::try_from(self.steps.len()).unwrap_or(u32::MAX) {
            self.flush(step, at);
            let state = self.step(step);
            if std::mem::take(&mut state.open)
                && let Some(why) = why
            {
                self.ready.push(Record::StepDone(StepDone { step, at, cached: false, error: Some(why.to_owned()) }));
            }
        }
    }

    /// The state of a step; steps are counted from 1.
    fn step(&mut self, step: u32) -> &mut Step {
        let index = step.saturating_sub(1) as usize;
        while self.steps.len() <= index {
            self.steps.push(Step::default());
        }
        &mut self.steps[index]
    }

    fn flush(&mut self, step: u32, at: i64) {
        for stream in [Stream::Out, Stream::Err] {
            let Some(mut output) = self.step(step).streams[index(stream)].take() else {
                continue;
            };
            let rest = output.masker.finish();
            let mut lines = output.splitter.push(&rest);
            lines.extend(output.splitter.finish());
            for text in lines {
                self.line(step, stream, at, text);
            }
        }
    }

    fn line(&mut self, step: u32, stream: Stream, at: i64, text: String) {
        let limits = self.limits;
        let (lines_before, bytes_before, build_full) = (self.lines, self.bytes, self.full);
        let state = self.step(step);
        if state.full || build_full {
            return;
        }
        let size = text.len() as u64 + 1;
        if state.lines >= limits.step_lines || state.bytes + size > limits.step_bytes {
            state.full = true;
            let (lines, mib) = (limits.step_lines, limits.step_bytes >> 20);
            self.notice(&format!(
                "step {step} printed more than {lines} lines or {mib} MiB: the rest of its output is not kept"
            ));
            return;
        }
        if lines_before >= limits.build_lines || bytes_before + size > limits.build_bytes {
            self.full = true;
            let (lines, mib) = (limits.build_lines, limits.build_bytes >> 20);
            self.notice(&format!(
                "this build printed more than {lines} lines or {mib} MiB: the rest of its output is not kept"
            ));
            return;
        }
        state.lines += 1;
        state.bytes += size;
        let (line, own) = (state.lines, state.own);
        self.lines += 1;
        self.bytes += size;
        let text = if own { self.hosts.publish(&text) } else { text };
        self.ready.push(Record::Line(Line { step, line, stream, at, text }));
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Out => 0,
        Stream::Err => 1,
    }
}

#[cfg(test)]
mod tests;
