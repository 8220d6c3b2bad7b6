//! Folds the records of an attempt into what the page shows: each step with its first and last lines.
//!
//! Works batch by batch: memory is bounded by what is shown, however long the log is.

use super::super::ansi::Style;
use super::super::views::facts::State;
use super::super::views::log::{CHUNK, LogLine, Mark, Progress, StepName};
use crate::app::App;
use crate::builds::{self, log::Conceal};
use crate::error::Result;
use slipway_protocol::{Line, Record};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// Lines of a step that are on the page in full; of longer ones the ends.
pub(super) const WHOLE: u32 = 4_000;
const HEAD: u32 = CHUNK;
const TAIL: usize = 2_000;
const BATCH: usize = 2_000;
/// Of the whole page: a build of very many long steps shows fewer lines of each.
const MOST_LINES: usize = 20_000;

/// A step as far as the log tells.
pub(super) struct Folded {
    pub(super) number: u32,
    pub(super) name: StepName,
    pub(super) started_at: i64,
    pub(super) done_at: Option<i64>,
    pub(super) cached: bool,
    pub(super) error: Option<String>,
    pub(super) lines: u32,
    pub(super) head: Vec<LogLine>,
    pub(super) tail: VecDeque<LogLine>,
    pub(super) progress: BTreeMap<String, (i64, i64)>,
    pub(super) notices: Vec<String>,
    pub(super) first_error: Option<u32>,
    style: Style,
}

/// The state of a step whose build is open.
pub(super) fn state_of(error: Option<&str>, is_done: bool) -> State {
    match error {
        // BuildKit's word for steps that it stopped because another one failed.
        Some(error) if error.contains("context canceled") => State::Cancelled,
        Some(_) => State::Failed,
        None if is_done => State::Succeeded,
        None => State::Running,
    }
}

impl Folded {
    fn new(number: u32, name: &str, at: i64) -> Self {
        Self {
            number,
            name: StepName::parse(name),
            started_at: at,
            done_at: None,
            cached: false,
            error: None,
            lines: 0,
            head: Vec::new(),
            tail: VecDeque::new(),
            progress: BTreeMap::new(),
            notices: Vec::new(),
            first_error: None,
            style: Style::default(),
        }
    }

    /// The state, given whether its build is still open.
    pub(super) fn state(&self, open: bool) -> State {
        match state_of(self.error.as_deref(), self.done_at.is_some()) {
            State::Running if !open => State::Cancelled,
            state => state,
        }
    }

    pub(super) fn secs(&self, now: i64) -> u64 {
        u64::try_from((self.done_at.unwrap_or(now) - self.started_at) / 1_000).unwrap_or_default()
    }

    fn add(&mut self, line: &Line, room: &mut usize) {
        self.lines = self.lines.max(line.line);
        let shown = log_line(line, &mut self.style);
        if shown.mark == Mark::Error && self.first_error.is_none() {
            self.first_error = Some(line.line);
        }
        if line.line <= HEAD && *room > 0 {
            *room -= 1;
            self.head.push(shown);
            return;
        }
        let most = if *room > 0 { usize::try_from(WHOLE - HEAD).unwrap_or(TAIL) } else { TAIL / 10 };
        if self.tail.len() < most {
            *room = room.saturating_sub(1);
        }
        self.tail.push_back(shown);
        // Longer than what is shown whole: only the end, in whole chunks, so that the stream finds its chunk.
        if self.tail.len() > most {
            let keep = TAIL.min(most);
            while self.tail.len() > keep || self.tail.front().is_some_and(|l| (l.number - 1) % CHUNK != 0) {
                self.tail.pop_front();
            }
        }
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        progress_of(&self.progress)
    }
}

/// One line as HTML.
pub(super) fn log_line(line: &Line, style: &mut Style) -> LogLine {
    let bare = Style::default().text(line.text.as_bytes());
    let html = style.html(line.text.as_bytes());
    LogLine { step: line.step, number: line.line, time: clock_time(line.at), html, mark: Mark::of(&bare) }
}

/// `21:40:11.037`, UTC.
fn clock_time(at: i64) -> String {
    let millis = at.rem_euclid(86_400_000);
    let (secs, millis) = (millis / 1_000, millis % 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", secs / 3_600, secs / 60 % 60, secs % 60)
}

/// `3 of 7 done, 10.4 MB of 31.0 MB`.
pub(super) fn progress_of(parts: &BTreeMap<String, (i64, i64)>) -> Option<Progress> {
    if parts.is_empty() {
        return None;
    }
    let size = |n: i64| super::super::views::filters::size_text(u64::try_from(n).unwrap_or_default());
    let (current, total) =
        parts.values().fold((0i64, 0i64), |(c, t), (a, b)| (c.saturating_add(*a), t.saturating_add(*b)));
    let done = parts.values().filter(|(c, t)| *t > 0 && c >= t).count();
    let text = if total > 0 {
        format!("{done} of {} done, {} of {}", parts.len(), size(current), size(total))
    } else {
        format!("{} so far", size(current))
    };
    let percent = (total > 0).then(|| u64::try_from(current.saturating_mul(100) / total).unwrap_or_default().min(100));
    Some(Progress { text, percent })
}

/// All steps up to record `until`, in order, and notices that came before any step.
pub(super) async fn fold(
    app: &App,
    attempt_id: Uuid,
    until: u64,
    conceal: Option<&Conceal>,
) -> Result<(Vec<Folded>, Vec<String>)> {
    let mut steps: BTreeMap<u32, Folded> = BTreeMap::new();
    let mut early = Vec::new();
    let (mut after, mut room, mut last) = (0, MOST_LINES, 0);
    while after < until {
        let mut batch = builds::log::read(app, attempt_id, after, BATCH).await?;
        if let Some(conceal) = conceal {
            for (_, record) in &mut batch {
                conceal.record(record);
            }
        }
        let Some((newest, _)) = batch.last() else { break };
        after = *newest;
        for (number, record) in &batch {
            if *number > until {
                break;
            }
            apply(&mut steps, &mut early, &mut last, record, &mut room);
        }
    }
    Ok((steps.into_values().collect(), early))
}

fn apply(
    steps: &mut BTreeMap<u32, Folded>,
    early: &mut Vec<String>,
    last: &mut u32,
    record: &Record,
    room: &mut usize,
) {
    match record {
        Record::StepStarted(started) => {
            *last = started.step;
            let step =
                steps.entry(started.step).or_insert_with(|| Folded::new(started.step, &started.name, started.at));
            step.done_at = None;
        }
        Record::Line(line) => {
            let step = steps.entry(line.step).or_insert_with(|| Folded::new(line.step, "", line.at));
            step.add(line, room);
        }
        Record::Progress { step, id, current, total } => {
            if let Some(step) = steps.get_mut(step).filter(|s| s.progress.len() < 64 || s.progress.contains_key(id)) {
                step.progress.insert(id.clone(), (*current, *total));
            }
        }
        Record::StepDone(done) => {
            if let Some(step) = steps.get_mut(&done.step) {
                step.done_at = Some(done.at);
                step.cached = done.cached;
                step.error.clone_from(&done.error);
            }
        }
        Record::Notice { text, .. } => match steps.get_mut(last) {
            Some(step) => step.notices.push(text.clone()),
            None => early.push(text.clone()),
        },
    }
}
