//! What an open page shows of a log, and what a batch of records adds to it, as the html of one message.
//!
//! htmx looks for the targets of all parts of a message before it swaps the first one: no part may name what another
//! part of the same message makes. So a step that begins in a batch comes with its lines, and the lines of a chunk
//! come as one part, in whatever order the records were.

use super::super::ansi::Style;
use super::super::views::facts::State;
use super::super::views::live::{
    AppendChunk, AppendLines, AppendNotice, AppendStep, SwapProgress, SwapStep, SwapStepHead,
};
use super::super::views::log::{CHUNK, Chunk, LogLine, Progress, Step, StepName};
use super::fold::{Rendering, log_line, progress_of, state_of};
use super::log::in_chunks;
use super::view::LogFacts;
use crate::db::rows;
use crate::error::{Context, Result};
use askama::Template;
use slipway_protocol::{Line, Record, StepDone, StepStarted};
use std::collections::BTreeMap;

/// The steps of one attempt as the page has them.
#[derive(Default)]
pub(super) struct LiveLog {
    steps: BTreeMap<u32, Shown>,
}

struct Shown {
    /// Its lines are in it only while a message is made.
    step: Step,
    /// The page has it as a fold with a place for lines; a step that ended without a word is a mere line there.
    is_fold: bool,
    started_at: i64,
    progress: BTreeMap<String, (i64, i64)>,
    style: Style,
}

/// What one batch does to a step.
#[derive(Default)]
struct Change {
    is_new: bool,
    head: bool,
    progress: bool,
    lines: Vec<LogLine>,
}

impl LiveLog {
    /// No step is known.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn facts(&self) -> LogFacts {
        let counted = || self.steps.values().map(|s| &s.step).filter(|s| s.name.is_counted);
        let cached = counted().filter(|s| s.cached).count() as u64;
        LogFacts { steps: counted().count() as u64, cached, first_error: None }
    }

    /// The step that failed, if one did.
    pub(super) fn failed(&self) -> Option<u32> {
        self.steps.values().find(|s| s.step.state == State::Failed).map(|s| s.step.number)
    }

    /// Takes in a step that the page was drawn with.
    pub(super) fn know(&mut self, row: &rows::Step) {
        let number = u32::try_from(row.step).unwrap_or_default();
        let mut shown = Shown::new(number, &row.name, row.started_at.unwrap_or_default());
        shown.step.state = state_of(row.error.as_deref(), row.completed_at.is_some());
        shown.step.cached = row.is_cached;
        shown.step.error.clone_from(&row.error);
        if row.lines > 0 {
            shown.keep_in_mind_that_it_has_lines();
        }
        shown.is_fold = !shown.step.is_silent();
        self.steps.insert(number, shown);
    }

    /// The html of a message that tells of these records.
    pub(super) fn render(&mut self, batch: &[(u64, Record)]) -> Result<String> {
        let mut changes: BTreeMap<u32, Change> = BTreeMap::new();
        let mut notices = Vec::new();
        for (_, record) in batch {
            match record {
                Record::StepStarted(started) => self.start(started, &mut changes),
                Record::Line(line) => self.line(line, &mut changes),
                Record::Progress { step, id, current, total } => {
                    if let Some(shown) = self.steps.get_mut(step)
                        && (shown.progress.len() < 64 || shown.progress.contains_key(id))
                    {
                        shown.progress.insert(id.clone(), (*current, *total));
                        changes.entry(*step).or_default().progress = true;
                    }
                }
                Record::StepDone(done) => self.end(done, &mut changes),
                Record::Notice { text, .. } => notices.push(AppendNotice { text }),
            }
        }
        let mut html = String::new();
        for (number, change) in changes {
            if let Some(shown) = self.steps.get_mut(&number) {
                html.push_str(&shown.render(change).context("rendering")?);
            }
        }
        for notice in notices {
            html.push_str(&notice.render().context("rendering")?);
        }
        Ok(html)
    }

    fn start(&mut self, started: &StepStarted, changes: &mut BTreeMap<u32, Change>) {
        let change = changes.entry(started.step).or_default();
        let shown = self.steps.entry(started.step).or_insert_with(|| {
            change.is_new = true;
            Shown::new(started.step, &started.name, started.at)
        });
        change.head = true;
        shown.step.state = State::Running;
        shown.started_at = started.at;
    }

    fn line(&mut self, line: &Line, changes: &mut BTreeMap<u32, Change>) {
        let Some(shown) = self.steps.get_mut(&line.step) else { return };
        let line = log_line(line, &mut shown.style, Rendering { plain: false });
        changes.entry(line.step).or_default().lines.push(line);
    }

    fn end(&mut self, done: &StepDone, changes: &mut BTreeMap<u32, Change>) {
        let Some(shown) = self.steps.get_mut(&done.step) else { return };
        shown.step.state = state_of(done.error.as_deref(), true);
        shown.step.cached = done.cached;
        shown.step.secs = (!done.cached).then(|| u64::try_from((done.at - shown.started_at) / 1_000).unwrap_or(0));
        shown.step.error.clone_from(&done.error);
        shown.progress.clear();
        changes.entry(done.step).or_default().head = true;
    }
}

impl Shown {
    fn new(number: u32, name: &str, started_at: i64) -> Self {
        let step = Step {
            number,
            name: StepName::parse(name),
            state: State::Running,
            cached: false,
            secs: None,
            chunks: Vec::new(),
            progress: None,
            open: true,
            error: None,
            notices: Vec::new(),
        };
        Self { step, is_fold: false, started_at, progress: BTreeMap::new(), style: Style::default() }
    }

    fn render(&mut self, change: Change) -> askama::Result<String> {
        let progress = progress_of(&self.progress).filter(|_| self.step.state.is_open());
        let chunks = in_chunks(self.step.number, change.lines.into_iter());
        let gets_lines = !chunks.is_empty();
        if change.is_new || !self.is_fold || (self.step.is_silent() && !gets_lines) {
            return self.render_whole(change.is_new, chunks, progress);
        }
        let mut html = String::new();
        for chunk in chunks {
            // A chunk that begins with its first line is not on the page yet.
            if chunk.lines.first().is_some_and(|line| (line.number - 1) % CHUNK == 0) {
                html.push_str(&AppendChunk { chunk: &chunk }.render()?);
            } else {
                html.push_str(&AppendLines { step: chunk.step, chunk: chunk.index, lines: &chunk.lines }.render()?);
            }
        }
        if gets_lines {
            self.keep_in_mind_that_it_has_lines();
        }
        if change.head {
            html.push_str(&SwapStepHead { step: &self.step }.render()?);
        }
        if let Some(progress) = progress.filter(|_| change.progress) {
            html.push_str(&SwapProgress { step: self.step.number, progress: &progress }.render()?);
        }
        Ok(html)
    }

    /// A step of which the page has no line.
    fn render_whole(&mut self, is_new: bool, chunks: Vec<Chunk>, progress: Option<Progress>) -> askama::Result<String> {
        let gets_lines = !chunks.is_empty();
        self.step.chunks = chunks;
        self.step.progress = progress;
        self.step.open = matches!(self.step.state, State::Running | State::Failed);
        self.is_fold = !self.step.is_silent();
        let html =
            if is_new { AppendStep { step: &self.step }.render()? } else { SwapStep { step: &self.step }.render()? };
        self.step.progress = None;
        self.step.chunks.clear();
        if gets_lines {
            self.keep_in_mind_that_it_has_lines();
        }
        Ok(html)
    }

    /// One empty chunk: the step is not silent, and its lines need no memory.
    fn keep_in_mind_that_it_has_lines(&mut self) {
        if self.step.chunks.is_empty() {
            self.step.chunks.push(Chunk { step: self.step.number, index: 0, lines: Vec::new(), gap: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_protocol::Stream;

    fn started(step: u32) -> Record {
        Record::StepStarted(StepStarted { step, vertex: String::new(), name: format!("RUN {step}"), at: 1_000 })
    }

    fn line(step: u32, line: u32) -> Record {
        Record::Line(Line { step, line, stream: Stream::Out, at: 0, text: format!("text {line}") })
    }

    fn done(step: u32) -> Record {
        Record::StepDone(StepDone { step, at: 4_000, cached: false, error: None })
    }

    /// The targets of a message, after a check that none of them is made by the message itself.
    fn targets(log: &mut LiveLog, records: Vec<Record>) -> Vec<String> {
        let batch: Vec<_> = (1..).zip(records).collect();
        let html = log.render(&batch).unwrap();
        let values = |before: &str| -> Vec<String> {
            html.split(before).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
        };
        let (targets, made) = (values("hx-target=\"#"), values(" id=\""));
        let whole = html.contains("outerHTML");
        assert!(whole || targets.iter().all(|target| !made.contains(target)), "{html}");
        targets
    }

    #[test]
    fn a_step_that_begins_in_a_message_comes_with_its_lines() {
        let mut log = LiveLog::default();
        assert_eq!(targets(&mut log, vec![started(1), line(1, 1), line(1, 2), done(1)]), ["steps"]);
        assert_eq!(targets(&mut log, vec![line(1, 3)]), ["s1-c0"]);
    }

    #[test]
    fn lines_that_come_mixed_are_sorted_by_chunk() {
        let mut log = LiveLog::default();
        targets(&mut log, vec![started(1), started(2)]);
        let mixed = vec![line(1, 1), line(2, 1), line(1, 2), line(2, 2)];
        assert_eq!(targets(&mut log, mixed), ["s1-lines", "s2-lines"]);
        let over_the_edge = (3..=201).map(|n| line(1, n)).collect();
        assert_eq!(targets(&mut log, over_the_edge), ["s1-c0", "s1-lines"]);
        assert_eq!(targets(&mut log, vec![line(1, 202), done(1)]), ["s1-c1", "s1-head", "s1-progress"]);
    }

    #[test]
    fn the_error_of_a_step_comes_to_the_open_page_as_it_stands_on_a_new_one() {
        let mut log = LiveLog::default();
        targets(&mut log, vec![started(1), line(1, 1)]);
        let error = Some("exit code: <b>7".to_owned());
        let html = log.render(&[(9, Record::StepDone(StepDone { step: 1, at: 4_000, cached: false, error }))]).unwrap();
        let text = html.split_once("hx-target=\"#s1-error\"").and_then(|(_, rest)| rest.split_once("</hx-partial>"));
        let text = text.expect("the error has its part").0;
        assert!(text.contains("exit code: &#60;b&#62;7"), "{html}");
        let reloaded = AppendStep { step: &log.steps[&1].step }.render().unwrap();
        let place = reloaded.split_once("<div id=\"s1-error\">").expect("the page has a place for it").1;
        assert!(text.ends_with(place.split_once("</div>").unwrap().0), "{reloaded}");
    }

    #[test]
    fn a_step_that_was_stopped_did_not_fail() {
        let mut log = LiveLog::default();
        targets(&mut log, vec![started(1), line(1, 1)]);
        let error = Some("process canceled: context canceled".to_owned());
        log.render(&[(9, Record::StepDone(StepDone { step: 1, at: 4_000, cached: false, error }))]).unwrap();
        assert_eq!(log.steps[&1].step.state, State::Cancelled);
    }

    #[test]
    fn only_steps_of_the_dockerfile_are_counted() {
        let mut log = LiveLog::default();
        let names = ["[internal] load .dockerignore", "[1/2] FROM scratch", "[build 2/2] RUN x", "exporting to image"];
        for (step, name) in (1..).zip(names) {
            let start = StepStarted { step, vertex: String::new(), name: name.to_owned(), at: 1_000 };
            let end = StepDone { step, at: 2_000, cached: step != 3, error: None };
            log.render(&[(1, Record::StepStarted(start)), (2, Record::StepDone(end))]).unwrap();
        }
        assert_eq!((log.facts().cached, log.facts().steps), (1, 2));
    }

    #[test]
    fn a_step_that_ended_without_a_word_may_begin_again() {
        let mut log = LiveLog::default();
        targets(&mut log, vec![started(1)]);
        assert_eq!(targets(&mut log, vec![done(1)]), ["s1"]);
        assert_eq!(targets(&mut log, vec![started(1), line(1, 1)]), ["s1"]);
        assert_eq!(targets(&mut log, vec![line(1, 2)]), ["s1-c0"]);
    }
}
