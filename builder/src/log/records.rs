//! Turns the events of one build into records, in order.
//!
//! Steps come with their number, the order in which they appeared. Nothing leaves here unmasked.

use super::mask::{Masker, Secrets};
use super::now;
use super::split::Splitter;
use crate::config::LogLimits;
use slipway_protocol::{Line, Record, StepDone, StepStarted, Stream};
use std::sync::Arc;

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
        Self { secrets, hosts, limits, steps: Vec::new(), lines: 0, bytes: 0, full: false, ready: Vec::new() }
    }

    /// The records that came about since the last call.
    pub(crate) fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.ready)
    }

    /// Masks a text and gives the registry its public name.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.secrets.mask(&self.hosts.publish(text)).replace('\0', "\u{FFFD}")
    }

    pub(crate) fn started(&mut self, step: u32, vertex: &str, name: &str, at: i64) {
        let name = self.clean(name);
        let state = self.step(step);
        state.open = true;
        state.own = !name.starts_with('[') || name.starts_with("[internal]");
        self.ready.push(Record::StepStarted(StepStarted { step, vertex: vertex.to_owned(), name, at }));
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
    pub(crate) fn progress(&mut self, step: u32, id: &str, current: i64, total: i64) {
        let record = Record::Progress { step, id: self.clean(id), current, total };
        self.ready.push(record);
    }

    pub(crate) fn done(&mut self, step: u32, at: i64, cached: bool, error: Option<&str>) {
        self.flush(step, at);
        self.step(step).open = false;
        let error = error.map(|text| self.clean(text));
        self.ready.push(Record::StepDone(StepDone { step, at, cached, error }));
    }

    pub(crate) fn notice(&mut self, text: &str) {
        let text = self.clean(text);
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
mod tests {
    use super::*;

    fn recorder(limits: LogLimits) -> Recorder {
        let hosts = Hosts { internal: "127.0.0.1:8080".to_owned(), public: "registry.example.com".to_owned() };
        Recorder::new(Secrets::new([b"s3cr3t-value".to_vec()]), hosts, limits)
    }

    fn lines(records: &[Record]) -> Vec<(u32, u32, &str)> {
        records
            .iter()
            .filter_map(|record| match record {
                Record::Line(line) => Some((line.step, line.line, line.text.as_str())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn lines_are_numbered_inside_their_step_and_masked_across_chunks() {
        let mut log = recorder(LogLimits::default());
        log.started(1, "sha256:a", "[1/2] RUN a", 1);
        log.started(2, "sha256:b", "[2/2] RUN b", 1);
        log.output(1, Stream::Out, 2, b"one s3cr3t-");
        log.output(2, Stream::Out, 2, b"other\n");
        log.output(1, Stream::Out, 3, b"value\ntwo");
        log.output(1, Stream::Err, 3, b"to stderr\n");
        log.done(1, 4, false, Some("exit code: 1 s3cr3t-value"));
        let records = log.take();
        assert_eq!(lines(&records), [(2, 1, "other"), (1, 1, "one ***"), (1, 2, "to stderr"), (1, 3, "two")]);
        let Some(Record::StepDone(done)) = records.last() else { panic!("{records:?}") };
        assert_eq!(done.error.as_deref(), Some("exit code: 1 ***"));
    }

    #[test]
    fn the_internal_registry_is_not_named() {
        let mut log = recorder(LogLimits::default());
        log.started(1, "v", "pushing manifest for 127.0.0.1:8080/acme/web", 1);
        let Record::StepStarted(step) = &log.take()[0] else { panic!("a step") };
        assert_eq!(step.name, "pushing manifest for registry.example.com/acme/web");
    }

    #[test]
    fn a_cap_leaves_a_visible_notice_once() {
        let mut log = recorder(LogLimits { step_lines: 2, ..LogLimits::default() });
        log.started(1, "v", "[1/1] RUN yes", 1);
        log.output(1, Stream::Out, 1, b"1\n2\n3\n4\n");
        let records = log.take();
        assert_eq!(lines(&records).len(), 2);
        let notices = records.iter().filter(|r| matches!(r, Record::Notice { .. }));
        assert_eq!(notices.count(), 1);
    }

    #[test]
    fn the_end_of_the_build_closes_open_steps() {
        let mut log = recorder(LogLimits::default());
        log.started(1, "v", "[1/1] RUN sleep", 1);
        log.output(1, Stream::Out, 1, b"no end");
        log.end(Some("cancelled"));
        let records = log.take();
        assert_eq!(lines(&records), [(1, 1, "no end")]);
        assert!(matches!(records.last(), Some(Record::StepDone(done)) if done.error.is_some()));
    }
}
