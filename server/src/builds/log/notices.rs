//! What Slipway says in a log, by the step that it stands behind.
//!
//! Notices stand in rows. Those of logs of before that do not, and are shown once a job has read them out of the log:
//! a view reads no log for them, which may be half a gigabyte.

use super::read::read;
use super::steps;
use crate::app::App;
use crate::db::{self, rows};
use crate::error::Result;
use slipway_protocol::Record;
use std::collections::BTreeMap;
use uuid::Uuid;

const BATCH: usize = 2_000;
/// Logs that one job reads.
const AT_ONCE: u64 = 10;

/// The notices of an attempt by step; those of before the first step stand at 0.
pub fn all_notices(attempt: &rows::Attempt, rows: &[rows::Step]) -> BTreeMap<i64, Vec<String>> {
    let of_steps = rows.iter().map(|row| (row.step, steps::parse(row.notices.as_deref())));
    let early = (0, steps::parse(attempt.log_notices.as_deref()));
    of_steps.chain([early]).filter(|(_, notices)| !notices.is_empty()).collect()
}

/// Whether there is a log of an attempt that ended whose notices no row has.
pub async fn with_unread_notices(app: &App) -> Result<bool> {
    Ok(!db::attempts::without_notices(&app.db, None, 1).await?.is_empty())
}

/// Reads the notices of some logs of attempts before `before` into rows, newest first; where the next ones go on.
pub async fn fill_some(app: &App, before: Option<Uuid>) -> Result<Option<Uuid>> {
    let some = db::attempts::without_notices(&app.db, before, AT_ONCE).await?;
    for id in &some {
        match fill(app, *id).await {
            Err(error) if db::failed(&error) => return Err(error),
            // A log whose bytes are lost must not keep the others from their turn.
            Err(error) => tracing::warn!(attempt.id = %id, "a log was not read: {}", error.for_log()),
            Ok(()) => {}
        }
    }
    Ok(some.last().copied())
}

async fn fill(app: &App, attempt_id: Uuid) -> Result<()> {
    let mut found = look(app, attempt_id).await?;
    let early = found.remove(&0).flatten();
    let tx = app.db.begin().await?;
    let Some(attempt) = db::attempts::lock(&tx, attempt_id).await? else { return Ok(()) };
    for row in db::logs::some_steps(&tx, attempt_id, found.keys().copied().collect()).await? {
        let notices = found.remove(&row.step).flatten();
        db::logs::update_step(&tx, rows::Step { notices, ..row }).await?;
    }
    let early = early.or_else(|| Some("[]".to_owned()));
    db::attempts::set_log(&tx, &rows::Attempt { log_notices: early, ..attempt }).await?;
    tx.commit().await
}

/// The notices in a log, as rows hold them.
async fn look(app: &App, attempt_id: Uuid) -> Result<BTreeMap<i64, Option<String>>> {
    let mut found: BTreeMap<i64, Option<String>> = BTreeMap::new();
    let (mut after, mut step) = (0, 0);
    loop {
        let records = read(app, attempt_id, after, BATCH).await?;
        let Some((last, _)) = records.last() else { return Ok(found) };
        after = *last;
        for (_, record) in records {
            match record {
                Record::StepStarted(started) => step = started.step.into(),
                Record::Notice { text, .. } => steps::note(found.entry(step).or_default(), &text),
                _ => {}
            }
        }
    }
}
