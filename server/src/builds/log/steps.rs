//! Steps as the page shows them, folded from records as these come.

use crate::db::{self, Tx, rows};
use crate::error::Result;
use serde_json::{Map, Value, json};
use slipway_protocol::Record;
use std::collections::BTreeMap;
use uuid::Uuid;

/// BuildKit pulls a few layers at once; of more the page shows none.
const MOST_PROGRESS: usize = 64;

/// Brings the step rows of an attempt up to date with new records.
pub(super) async fn fold(tx: &Tx, attempt_id: Uuid, records: &[Record]) -> Result<()> {
    let touched: Vec<i64> = records.iter().filter_map(step_of).map(i64::from).collect();
    if touched.is_empty() {
        return Ok(());
    }
    let known = db::logs::some_steps(tx, attempt_id, touched).await?;
    let before = known.clone();
    let mut steps: BTreeMap<i64, rows::Step> = known.into_iter().map(|s| (s.step, s)).collect();
    for record in records {
        let Some(number) = step_of(record) else { continue };
        let step = steps.entry(number.into()).or_insert_with(|| new(attempt_id, number));
        apply(step, record);
    }
    for step in steps.into_values() {
        match before.iter().find(|s| s.id == step.id) {
            None => db::logs::insert_step(tx, step).await?,
            Some(same) if *same == step => {}
            Some(_) => db::logs::update_step(tx, step).await?,
        }
    }
    Ok(())
}

fn step_of(record: &Record) -> Option<u32> {
    match record {
        Record::StepStarted(s) => Some(s.step),
        Record::Line(l) => Some(l.step),
        Record::Progress { step, .. } => Some(*step),
        Record::StepDone(d) => Some(d.step),
        Record::Notice { .. } => None,
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
    }
}

fn apply(step: &mut rows::Step, record: &Record) {
    match record {
        Record::StepStarted(started) => {
            step.vertex.clone_from(&started.vertex);
            step.name.clone_from(&started.name);
            step.started_at = step.started_at.or(Some(started.at));
            // It may begin again: exporting, then pushing.
            step.completed_at = None;
        }
        Record::Line(line) => step.lines = step.lines.max(line.line.into()),
        Record::Progress { id, current, total, .. } => note_progress(step, id, *current, *total),
        Record::StepDone(done) => {
            step.started_at = step.started_at.or(Some(done.at));
            step.completed_at = Some(done.at);
            step.is_cached = done.cached;
            step.error.clone_from(&done.error);
        }
        Record::Notice { .. } => {}
    }
}

/// `{"id": [current, total]}`.
fn note_progress(step: &mut rows::Step, id: &str, current: i64, total: i64) {
    let mut all: Map<String, Value> =
        step.progress.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    if all.len() < MOST_PROGRESS || all.contains_key(id) {
        all.insert(id.to_owned(), json!([current, total]));
        step.progress = Some(Value::Object(all).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_protocol::{Line, StepDone, StepStarted, Stream};

    #[test]
    fn records_fold_into_a_step() {
        let mut step = new(Uuid::nil(), 3);
        let started = |at| Record::StepStarted(StepStarted { step: 3, vertex: "v".into(), name: "RUN x".into(), at });
        apply(&mut step, &started(5));
        let line = Line { step: 3, line: 7, stream: Stream::Out, at: 6, text: "hi".into() };
        apply(&mut step, &Record::Line(line));
        apply(&mut step, &Record::Progress { step: 3, id: "a".into(), current: 1, total: 2 });
        apply(&mut step, &Record::Progress { step: 3, id: "a".into(), current: 2, total: 2 });
        apply(&mut step, &Record::StepDone(StepDone { step: 3, at: 9, cached: false, error: Some("no".into()) }));
        assert_eq!((step.started_at, step.completed_at, step.lines), (Some(5), Some(9), 7));
        assert_eq!(step.progress.as_deref(), Some(r#"{"a":[2,2]}"#));
        assert_eq!(step.error.as_deref(), Some("no"));
        apply(&mut step, &started(12));
        assert_eq!((step.started_at, step.completed_at), (Some(5), None));
    }
}
