//! Steps as the page shows them, folded from records as these come.

use super::errors;
use super::limits::{LONGEST_SHOWN, MOST_NOTICES};
use super::marks::Failure;
use crate::db::{self, Tx, rows};
use crate::error::Result;
use serde_json::{Map, Value, json};
use slipway_protocol::Record;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// BuildKit pulls a few layers at once; of more the page shows none.
const MOST_PROGRESS: usize = 64;

/// The rows of the steps that a batch of records touches.
pub(super) struct Steps {
    attempt_id: Uuid,
    steps: BTreeMap<i64, Step>,
}

struct Step {
    row: rows::Step,
    /// As it was; `None` for a new one.
    before: Option<rows::Step>,
    /// The row's, while they are worked on.
    progress: Option<Map<String, Value>>,
    errors: Option<Vec<u32>>,
}

impl Steps {
    /// Finds the rows that `records` touch, and the newest one, which notices belong to.
    pub(super) async fn load(tx: &Tx, attempt_id: Uuid, records: &[Record]) -> Result<Self> {
        let touched: BTreeSet<i64> = records.iter().filter_map(step_of).map(i64::from).collect();
        let mut known = db::logs::some_steps(tx, attempt_id, touched.into_iter().collect()).await?;
        known.extend(db::logs::newest_step(tx, attempt_id).await?);
        let step = |row: rows::Step| (row.step, Step { before: Some(row.clone()), row, progress: None, errors: None });
        Ok(Self { attempt_id, steps: known.into_iter().map(step).collect() })
    }

    fn step(&mut self, number: u32) -> &mut Step {
        let attempt_id = self.attempt_id;
        let new = || Step { row: new(attempt_id, number), before: None, progress: None, errors: None };
        self.steps.entry(number.into()).or_insert_with(new)
    }

    /// Gives a line the number that is due: readers rely on lines that count up without a gap.
    pub(super) fn number(&mut self, record: &mut Record) {
        if let Record::Line(line) = record {
            let lines = self.steps.get(&line.step.into()).map_or(0, |step| step.row.lines);
            line.line = u32::try_from(lines + 1).unwrap_or(u32::MAX);
        }
    }

    /// Takes a record in.
    pub(super) fn apply(&mut self, attempt: &mut rows::Attempt, record: &Record) {
        match (record, step_of(record)) {
            (_, Some(number)) => self.step(number).apply(record),
            (Record::Notice { text, .. }, None) => match self.steps.last_entry() {
                Some(mut step) => note(&mut step.get_mut().row.notices, text),
                None => note(&mut attempt.log_notices, text),
            },
            _ => {}
        }
        // From here on it is known that none is missing.
        attempt.log_notices.get_or_insert_with(|| "[]".to_owned());
    }

    pub(super) async fn write(self, tx: &Tx) -> Result<()> {
        for Step { mut row, before, progress, errors } in self.steps.into_values() {
            if let Some(progress) = progress {
                row.progress = Some(Value::Object(progress).to_string());
            }
            if let Some(errors) = errors {
                row.errors = Some(json!(errors).to_string());
            }
            match before {
                None => db::logs::insert_step(tx, row).await?,
                Some(same) if same == row => {}
                Some(_) => db::logs::update_step(tx, row).await?,
            }
        }
        Ok(())
    }
}

/// The step that a record is about.
pub(super) fn step_of(record: &Record) -> Option<u32> {
    match record {
        Record::StepStarted(s) => Some(s.step),
        Record::Line(l) => Some(l.step),
        Record::Progress { step, .. } => Some(*step),
        Record::StepDone(d) => Some(d.step),
        Record::Notice { .. } => None,
    }
}

pub(super) fn parse(text: Option<&str>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Adds a notice to a JSON list, which stays short.
pub(super) fn note(list: &mut Option<String>, text: &str) {
    let mut notices = parse(list.as_deref());
    match notices.len() {
        few if few < MOST_NOTICES => notices.push(shown(text)),
        MOST_NOTICES => notices.push("more was said here, which is in the raw log".to_owned()),
        _ => return,
    }
    *list = Some(json!(notices).to_string());
}

fn shown(text: &str) -> String {
    match text.floor_char_boundary(LONGEST_SHOWN) {
        end if end < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

fn new(attempt_id: Uuid, number: u32) -> rows::Step {
    rows::Step {
        id: Uuid::now_v7(),
        attempt_id,
        step: number.into(),
        vertex: String::new(),
        name: format!("step {number}"),
        is_cached: false,
        started_at: None,
        completed_at: None,
        error: None,
        lines: 0,
        progress: None,
        notices: None,
        // From here on it is known that none is missing.
        errors: Some("[]".to_owned()),
    }
}

impl Step {
    fn apply(&mut self, record: &Record) {
        let step = &mut self.row;
        match record {
            Record::StepStarted(started) => {
                step.vertex.clone_from(&started.vertex);
                step.name = shown(&started.name);
                step.started_at = step.started_at.or(Some(started.at));
                // It may begin again: exporting, then pushing.
                step.completed_at = None;
            }
            Record::Line(line) => {
                step.lines = step.lines.max(line.line.into());
                if let Some(failure) = Failure::of(&line.text) {
                    self.note_error(line.line, failure);
                }
            }
            Record::Progress { id, current, total, .. } => self.note_progress(id, *current, *total),
            Record::StepDone(done) => {
                step.started_at = step.started_at.or(Some(done.at));
                step.completed_at = Some(done.at);
                step.is_cached = done.cached;
                step.error = done.error.as_deref().map(shown);
            }
            Record::Notice { .. } => {}
        }
    }

    /// Of a step whose first lines came to a version that noted none, none is noted.
    fn note_error(&mut self, line: u32, failure: Failure) {
        if self.errors.is_none() {
            self.errors = errors::parse(&self.row);
        }
        self.errors.iter_mut().for_each(|lines| errors::note(lines, line, failure));
    }

    /// `{"id": [current, total]}`.
    fn note_progress(&mut self, id: &str, current: i64, total: i64) {
        let stored = || self.row.progress.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let all = self.progress.get_or_insert_with(|| stored().unwrap_or_default());
        if all.len() < MOST_PROGRESS || all.contains_key(id) {
            all.insert(id.to_owned(), json!([current, total]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_protocol::{Line, StepDone, StepStarted, Stream};

    #[test]
    fn records_fold_into_a_step() {
        let mut step = Step { row: new(Uuid::nil(), 3), before: None, progress: None, errors: None };
        let started = |at| Record::StepStarted(StepStarted { step: 3, vertex: "v".into(), name: "RUN x".into(), at });
        step.apply(&started(5));
        let line = Line { step: 3, line: 7, stream: Stream::Out, at: 6, text: "hi".into() };
        step.apply(&Record::Line(line));
        step.apply(&Record::Progress { step: 3, id: "a".into(), current: 1, total: 2 });
        step.apply(&Record::Progress { step: 3, id: "a".into(), current: 2, total: 2 });
        step.apply(&Record::StepDone(StepDone { step: 3, at: 9, cached: false, error: Some("no".into()) }));
        assert_eq!((step.row.started_at, step.row.completed_at, step.row.lines), (Some(5), Some(9), 7));
        assert_eq!(step.progress.as_ref().map(|p| json!(p).to_string()).as_deref(), Some(r#"{"a":[2,2]}"#));
        assert_eq!(step.row.error.as_deref(), Some("no"));
        step.apply(&started(12));
        assert_eq!((step.row.started_at, step.row.completed_at), (Some(5), None));
        let line =
            |line, text: &str| Record::Line(Line { step: 3, line, stream: Stream::Out, at: 6, text: text.to_owned() });
        for record in [line(8, "error: no"), line(9, "so"), line(10, "error: really no")] {
            step.apply(&record);
        }
        assert_eq!(step.errors, Some(vec![8, 10]));
    }

    #[test]
    fn progress_of_a_step_is_of_a_few_parts() {
        let mut step = Step { row: new(Uuid::nil(), 3), before: None, progress: None, errors: None };
        for n in 0..1_000 {
            step.apply(&Record::Progress { step: 3, id: n.to_string(), current: 1, total: 2 });
        }
        // Those that are known go on.
        step.apply(&Record::Progress { step: 3, id: "0".into(), current: 2, total: 2 });
        let progress = step.progress.unwrap();
        assert_eq!((progress.len(), &progress["0"]), (MOST_PROGRESS, &json!([2, 2])));
    }

    #[test]
    fn notices_of_a_step_are_few_and_short() {
        let mut list = None;
        for n in 0..1_000 {
            note(&mut list, &format!("{n}{}", "x".repeat(64 << 10)));
        }
        let notices = parse(list.as_deref());
        assert_eq!(notices.len(), MOST_NOTICES + 1);
        assert!(notices[0].starts_with('0') && notices[0].len() < 3 << 10);
        assert!(notices[MOST_NOTICES].contains("raw log"));
    }
}
