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
use super::fold::{log_line, progress_of, state_of};
use super::lines::in_chunks;
use super::view::LogFacts;
use crate::clock::Millis;
use crate::db::rows;
use crate::error::{Context, Result};
use askama::Template;
use slipway_protocol::{Line, Record, StepDone, StepStarted};
use std::collections::BTreeMap;

/// A message holds so much, or one record that is larger; the next one follows at once.
const LARGEST: usize = 64 << 10;
/// The HTML around a line.
const AROUND: usize = 160;

/// With how many of these records a message is full.
pub(super) fn fitting<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
    let mut room = LARGEST;
    let fits = |record: &&Record| {
        let text = match record {
            Record::Line(line) => line.text.len(),
            Record::Notice { text, .. } => text.len(),
            Record::StepStarted(step) => step.name.len(),
            Record::StepDone(step) => step.error.as_ref().map_or(0, String::len),
            Record::Progress { .. } => 0,
        };
        let size = text + AROUND;
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    records.take_while(fits).count().max(1)
}

/// The steps of one attempt as the page has them.
#[derive(Default)]
pub(super) struct LiveLog {
    steps: BTreeMap<u32, Shown>,
    /// When the next message is made: what runs shows for how long.
    pub(super) now: Millis,
}

struct Shown {
    /// Its lines are in it only while a message is made.
    step: Step,
    /// The page has it as a fold with a place for lines; a step that ended without a word is a mere line there.
    is_fold: bool,
    /// Its row knows of lines that the page may not have, and no message of this stream drew it anew.
    is_ahead: bool,
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
        LogFacts { steps: counted().count() as u64, cached, error: None }
    }

    /// The step that failed, if one did.
    pub(super) fn failed(&self) -> Option<u32> {
        self.steps.values().find(|s| s.step.state.is_bad()).map(|s| s.step.number)
    }

    /// The last step that began.
    pub(super) fn last_step(&self) -> u32 {
        self.steps.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// Takes in the steps that are on the page, up to `last`. The rows are newer than the page: later ones are new to it.
    pub(super) fn know(&mut self, rows: &[rows::Step], last: u32) {
        for row in rows {
            let number = u32::try_from(row.step).unwrap_or(u32::MAX);
            if number <= last {
                self.know_step(number, row);
            }
        }
    }

    fn know_step(&mut self, number: u32, row: &rows::Step) {
        let mut shown = Shown::new(number, &row.name, row.started_at.unwrap_or_default());
        shown.step.state = state_of(row.error.as_deref(), row.completed_at.is_some());
        shown.step.cached = row.is_cached;
        shown.step.error.clone_from(&row.error);
        if row.lines > 0 {
            shown.keep_in_mind_that_it_has_lines();
        }
        shown.is_fold = !shown.step.is_silent();
        shown.is_ahead = row.lines > 0;
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

    /// The build is over, and nothing in its log runs: the heads of steps that were not told of their end.
    pub(super) fn close(&mut self) -> Result<String> {
        let mut html = String::new();
        for shown in self.steps.values_mut().filter(|shown| shown.step.state.is_open()) {
            shown.step.state = State::Cancelled;
            let change = Change { head: true, ..Change::default() };
            html.push_str(&shown.render(change).context("rendering")?);
        }
        Ok(html)
    }

    fn start(&mut self, started: &StepStarted, changes: &mut BTreeMap<u32, Change>) {
        let (change, now) = (changes.entry(started.step).or_default(), self.now);
        let shown = self.steps.entry(started.step).or_insert_with(|| {
            change.is_new = true;
            Shown::new(started.step, &started.name, started.at)
        });
        change.head = true;
        shown.step.state = State::Running;
        shown.started_at = started.at;
        shown.step.secs = Some(secs(started.at, now));
    }

    fn line(&mut self, line: &Line, changes: &mut BTreeMap<u32, Change>) {
        let Some(shown) = self.steps.get_mut(&line.step) else { return };
        let line = log_line(line, &mut shown.style);
        changes.entry(line.step).or_default().lines.push(line);
    }

    fn end(&mut self, done: &StepDone, changes: &mut BTreeMap<u32, Change>) {
        let Some(shown) = self.steps.get_mut(&done.step) else { return };
        shown.step.state = state_of(done.error.as_deref(), true);
        shown.step.cached = done.cached;
        shown.step.secs = (!done.cached).then(|| secs(shown.started_at, done.at));
        shown.step.error.clone_from(&done.error);
        shown.progress.clear();
        changes.entry(done.step).or_default().head = true;
    }
}

/// A builder's clock may be ahead of ours.
fn secs(from: Millis, to: Millis) -> u64 {
    u64::try_from(to.saturating_sub(from) / 1_000).unwrap_or(0)
}

impl Shown {
    fn new(number: u32, name: &str, started_at: i64) -> Self {
        let step = Step::new(number, StepName::parse(name), State::Running);
        Self { step, is_fold: false, is_ahead: false, started_at, progress: BTreeMap::new(), style: Style::default() }
    }

    fn render(&mut self, change: Change) -> askama::Result<String> {
        let progress = progress_of(&self.progress).filter(|_| self.step.state.is_open());
        let chunks = in_chunks(self.step.number, change.lines.into_iter());
        let gets_lines = !chunks.is_empty();
        // It had ended without a word when the page was drawn: there is no place for lines.
        let begins = self.is_ahead && chunks.first().and_then(|c| c.lines.first()).is_some_and(|l| l.number == 1);
        if change.is_new || begins || !self.is_fold || (self.step.is_silent() && !gets_lines) {
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
        self.step.open = self.step.state == State::Running || self.step.state.is_bad();
        self.is_fold = !self.step.is_silent();
        self.is_ahead = false;
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
            self.step.chunks.push(Chunk::of(self.step.number, 0, Vec::new()));
        }
    }
}

#[cfg(test)]
mod tests;
