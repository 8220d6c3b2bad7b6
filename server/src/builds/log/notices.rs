//! What Slipway says in a log, by the step that it stands behind.

use super::read::read;
use super::steps;
use crate::app::App;
use crate::db::rows;
use crate::error::Result;
use slipway_protocol::Record;
use std::collections::BTreeMap;

const BATCH: usize = 2_000;

/// The notices of an attempt by step; those of before the first step stand at 0.
pub async fn all_notices(
    app: &App,
    attempt: &rows::Attempt,
    rows: &[rows::Step],
) -> Result<BTreeMap<i64, Vec<String>>> {
    let Some(early) = attempt.log_notices.as_deref() else { return look(app, attempt).await };
    let of_steps = rows.iter().map(|row| (row.step, steps::parse(row.notices.as_deref())));
    Ok(of_steps.chain([(0, steps::parse(Some(early)))]).filter(|(_, notices)| !notices.is_empty()).collect())
}

/// A log of before notices stood in rows is looked through.
async fn look(app: &App, attempt: &rows::Attempt) -> Result<BTreeMap<i64, Vec<String>>> {
    let mut found: BTreeMap<i64, Option<String>> = BTreeMap::new();
    let (mut after, mut step) = (0, 0);
    loop {
        let records = read(app, attempt.id, after, BATCH).await?;
        let Some((last, _)) = records.last() else { break };
        after = *last;
        for (_, record) in records {
            match record {
                Record::StepStarted(started) => step = started.step.into(),
                Record::Notice { text, .. } => steps::note(found.entry(step).or_default(), &text),
                _ => {}
            }
        }
    }
    Ok(found.into_iter().map(|(step, list)| (step, steps::parse(list.as_deref()))).collect())
}
