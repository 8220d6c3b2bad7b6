//! The log of an attempt: typed records, numbered without a gap.
//!
//! Batches are rows until the attempt ends, then one sealed object; readers see no difference.
//! Both hold JSON lines, one record each. No whole log is ever in memory.

mod conceal;
mod index;
pub mod raw;
mod read;
mod seal;
mod steps;

pub use conceal::Conceal;
pub use raw::open;
pub use read::{first_line, last_notice, read, step_lines};
pub use seal::seal;

use super::ending::not_present;
use crate::app::App;
use crate::db::{self, Tx, rows};
use crate::error::{Error, Result};
use slipway_protocol::{Record, RecordBatch, RecordsReply};
use uuid::Uuid;

// 64 KiB a line: what a builder cuts to; one that does not is cut here.
const LONGEST_TEXT: usize = 64 << 10;
const LONGEST_NAME: usize = 4 << 10;

/// Takes records of an attempt. What is known already is cut off; a gap is refused with what is known.
///
/// Without room they are refused with an answer that builders try again after: lines wait there, and the build with
/// them. What ends a build (`add_notice`, its state, its signature) is small, and is written all the same.
pub async fn append(app: &App, attempt: &rows::Attempt, batch: RecordBatch) -> Result<RecordsReply> {
    app.room()?;
    let tx = app.db.begin().await?;
    let open = db::attempts::lock(&tx, attempt.id).await?.filter(|a| a.ended_at.is_none());
    let attempt = open.ok_or_else(not_present)?;
    let build = db::builds::find(&tx, attempt.build_id).await?.ok_or_else(not_present)?;
    let known = attempt.last_record.unsigned_abs();
    if batch.first == 0 || batch.first > known + 1 {
        return Err(Error::Conflict(format!("records up to {known} are here; the next one is {}", known + 1)));
    }
    let overlap = usize::try_from(known + 1 - batch.first).unwrap_or(usize::MAX);
    let fresh: Vec<Record> = batch.records.into_iter().skip(overlap).map(clean).collect();
    let acknowledged = known + fresh.len() as u64;
    let news = !fresh.is_empty();
    if news {
        insert(&tx, &attempt, &fresh).await?;
        steps::fold(&tx, attempt.id, &fresh).await?;
        tx.commit().await?;
    }
    if news {
        app.wake.changed(build.id);
    }
    Ok(RecordsReply { acknowledged, cancel: build.cancel_requested_at.is_some() })
}

/// Adds a sentence of the server's own behind what the builder said.
pub(super) async fn add_notice(app: &App, tx: &Tx, attempt: &rows::Attempt, text: String) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    insert(tx, attempt, &[Record::Notice { at: app.clock.now(), text }]).await
}

/// Writes records behind the last one of a locked attempt.
async fn insert(tx: &Tx, attempt: &rows::Attempt, records: &[Record]) -> Result<()> {
    let mut body = Vec::new();
    for record in records {
        serde_json::to_writer(&mut body, record).expect("a record is plain data");
        body.push(b'\n');
    }
    let last = attempt.last_record + i64::try_from(records.len()).unwrap_or(i64::MAX);
    let row = rows::LogBatch { id: Uuid::now_v7(), attempt_id: attempt.id, first: attempt.last_record + 1, last, body };
    db::logs::insert_batch(tx, row).await?;
    db::attempts::set_last_record(tx, attempt.id, last).await
}

/// The steps of an attempt, in the order in which they appeared.
pub async fn steps(app: &App, attempt_id: Uuid) -> Result<Vec<rows::Step>> {
    db::logs::steps(&app.db, attempt_id).await
}

fn clean(mut record: Record) -> Record {
    match &mut record {
        Record::StepStarted(step) => {
            cut(&mut step.name, LONGEST_NAME);
            cut(&mut step.vertex, 200);
        }
        Record::Line(line) => cut(&mut line.text, LONGEST_TEXT),
        Record::Progress { id, .. } => cut(id, 200),
        Record::StepDone(done) => {
            if let Some(error) = &mut done.error {
                cut(error, LONGEST_TEXT);
            }
        }
        Record::Notice { text, .. } => cut(text, LONGEST_TEXT),
    }
    record
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
    // PostgreSQL takes no NUL in texts.
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}
