//! The log of an attempt: typed records, numbered without a gap.
//!
//! Batches are rows until the attempt ends, then one sealed object; readers see no difference.
//! Both hold JSON lines, one record each. No whole log is ever in memory.

mod conceal;
mod errors;
mod index;
mod limits;
mod marks;
mod notices;
pub mod raw;
mod read;
mod reader;
mod seal;
mod spans;
mod steps;

pub use conceal::Conceal;
pub use errors::{errors, main_error};
pub use marks::Mark;
pub use notices::{all_notices, fill_some, with_unread_notices};
pub use raw::open;
#[cfg(test)]
pub(super) use read::first_line;
#[cfg(test)]
pub(super) use read::step_lines;
pub use read::{last_notice, read};
pub use reader::Reader;
#[cfg(test)]
pub(super) use seal::store_only;
pub use seal::{ask as ask_to_seal, resume, seal};

use super::ending::not_present;
use super::lease::LEASE;
use crate::app::App;
use crate::db::{self, Tx, rows};
use crate::error::{Error, Result};
use slipway_protocol::{Record, RecordBatch, RecordsReply};
use std::collections::BTreeMap;
use steps::Steps;
use uuid::Uuid;

/// Bytes of records that one transaction stores: two rows of the largest size.
const PART: usize = 512 << 10;

/// Takes records of an attempt. What is known already is cut off; a gap is refused with what is known.
///
/// Without room they are refused with an answer that builders try again after: lines wait there, and the build with
/// them. What ends a build (`add_notice`, its state, its signature) is small, and is written all the same.
/// A log that has reached its limits is at its end: the answer says so, and what comes is dropped.
/// Whoever sends records lives, and keeps the lease like one who sends heartbeats.
///
/// They are stored in parts of some hundred KiB, each in a transaction of its own: other writers come in between. Where
/// one is not stored, those before it are, and the builder sends again what is not known.
pub async fn append(app: &App, attempt: &rows::Attempt, batch: RecordBatch) -> Result<RecordsReply> {
    if batch.records.len() > limits::MOST_AT_ONCE {
        return Err(Error::TooLarge(format!("at most {} records come at once", limits::MOST_AT_ONCE)));
    }
    app.room()?;
    let mut first = batch.first;
    let mut records = batch.records.into_iter().map(clean).peekable();
    loop {
        let mut part = RecordBatch { first, records: Vec::new() };
        let mut bytes = 0;
        while bytes < PART
            && let Some(record) = records.next()
        {
            bytes += read::stored_size_of(&record);
            part.records.push(record);
        }
        first = first.saturating_add(part.records.len() as u64);
        let mut reply = append_part(app, attempt, part).await?;
        if records.peek().is_none() {
            return Ok(reply);
        }
        if reply.ended.is_some() {
            reply.acknowledged = reply.acknowledged.saturating_add(records.count() as u64);
            return Ok(reply);
        }
    }
}

async fn append_part(app: &App, attempt: &rows::Attempt, batch: RecordBatch) -> Result<RecordsReply> {
    let tx = app.db.begin().await?;
    let open = db::attempts::lock(&tx, attempt.id).await?.filter(|a| a.ended_at.is_none());
    let mut attempt = open.ok_or_else(not_present)?;
    let build = db::builds::find(&tx, attempt.build_id).await?.ok_or_else(not_present)?;
    let cancel = build.cancel_requested_at.is_some();
    let all = batch.first.saturating_sub(1).saturating_add(batch.records.len() as u64);
    if attempt.log_cut.is_some() {
        return Ok(RecordsReply { acknowledged: all, cancel, ended: attempt.log_cut });
    }
    let known = attempt.last_record.unsigned_abs();
    if batch.first == 0 || batch.first > known + 1 {
        return Err(Error::Conflict(format!("records up to {known} are here; the next one is {}", known + 1)));
    }
    let overlap = usize::try_from(known + 1 - batch.first).unwrap_or(usize::MAX);
    let fresh: Vec<Record> = batch.records.into_iter().skip(overlap).collect();
    let news = !fresh.is_empty();
    if news {
        store(app, &tx, &mut attempt, fresh).await?;
        let now = app.clock.now();
        if attempt.lease_until < now + LEASE / 2 {
            db::attempts::extend(&tx, attempt.id, now + LEASE).await?;
        }
        tx.commit().await?;
    }
    if news {
        app.wake.changed(build.id);
    }
    let acknowledged = if attempt.log_cut.is_some() { all } else { attempt.last_record.unsigned_abs() };
    Ok(RecordsReply { acknowledged, cancel, ended: attempt.log_cut })
}

/// Adds a sentence of the server's own behind what the builder said.
pub(super) async fn add_notice(app: &App, tx: &Tx, attempt: &rows::Attempt, text: String) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut attempt = attempt.clone();
    let mut steps = Steps::load(tx, attempt.id, &[]).await?;
    let mut batches = Batches::new(&attempt);
    let notice = Record::Notice { at: app.clock.now(), text };
    batches.add(&mut attempt, &mut steps, &notice, &line_of(&notice));
    batches.write(tx, &attempt, steps).await
}

/// Writes records behind the last one of a locked attempt, as far as its limits allow.
async fn store(app: &App, tx: &Tx, attempt: &mut rows::Attempt, records: Vec<Record>) -> Result<()> {
    let mut steps = Steps::load(tx, attempt.id, &records).await?;
    let mut batches = Batches::new(attempt);
    for mut record in records {
        steps.number(&mut record);
        let line = line_of(&record);
        let bytes = attempt.log_bytes + i64::try_from(line.len()).unwrap_or(i64::MAX);
        if let Some(why) = limits::cut(attempt.last_record + 1, bytes, steps::step_of(&record)) {
            let told = Record::Notice { at: app.clock.now(), text: why.clone() };
            batches.add(attempt, &mut steps, &told, &line_of(&told));
            attempt.log_cut = Some(why);
            break;
        }
        batches.add(attempt, &mut steps, &record, &line);
    }
    batches.write(tx, attempt, steps).await
}

/// Records on their way into rows: each row is as small as a chunk of a sealed log.
struct Batches {
    done: Vec<rows::LogBatch>,
    /// Line and record with which each step begins in the batch.
    places: BTreeMap<u32, (u32, u64)>,
    body: Vec<u8>,
    first: i64,
}

impl Batches {
    fn new(attempt: &rows::Attempt) -> Self {
        Self { done: Vec::new(), places: BTreeMap::new(), body: Vec::new(), first: attempt.last_record + 1 }
    }

    /// `line` is the record as it is stored.
    fn add(&mut self, attempt: &mut rows::Attempt, steps: &mut Steps, record: &Record, line: &[u8]) {
        attempt.last_record += 1;
        attempt.log_bytes += i64::try_from(line.len()).unwrap_or(i64::MAX);
        let number = attempt.last_record.unsigned_abs();
        if index::is_full(number - self.first.unsigned_abs(), self.body.len() as u64) {
            self.end(attempt, number - 1);
        }
        if let Record::Line(line) = record {
            self.places.entry(line.step).or_insert((line.line, number));
        }
        self.body.extend_from_slice(line);
        steps.apply(attempt, record);
    }

    fn end(&mut self, attempt: &rows::Attempt, last: u64) {
        if self.body.is_empty() {
            return;
        }
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        let places = std::mem::take(&mut self.places).into_iter().map(|(step, (line, record))| (step, line, record));
        let places: Vec<(u32, u32, u64)> = places.collect();
        self.done.push(rows::LogBatch {
            id: Uuid::now_v7(),
            attempt_id: attempt.id,
            first: self.first,
            last,
            body: std::mem::take(&mut self.body),
            places: Some(serde_json::to_string(&places).expect("numbers are plain data")),
        });
        self.first = last + 1;
    }

    async fn write(mut self, tx: &Tx, attempt: &rows::Attempt, steps: Steps) -> Result<()> {
        self.end(attempt, attempt.last_record.unsigned_abs());
        for row in self.done {
            db::logs::insert_batch(tx, row).await?;
        }
        steps.write(tx).await?;
        db::attempts::set_log(tx, attempt).await
    }
}

fn line_of(record: &Record) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).expect("a record is plain data");
    line.push(b'\n');
    line
}

/// What stands in the place of a log that was kept for so many days.
pub fn removed_after(days: u32) -> String {
    format!("{REMOVED}{days} {}", if days == 1 { "day" } else { "days" })
}

const REMOVED: &str = "it was removed after ";

/// What happened to a log, as a sentence; `None` when nobody ended it before its end.
pub fn shortened(attempt: &rows::Attempt) -> Option<String> {
    let why = attempt.log_cut.as_deref()?;
    Some(if removed(attempt).is_some() {
        format!("This log is no longer kept: {why}.")
    } else {
        format!("This log was cut: {why}.")
    })
}

/// Why a log is here no longer, if it is not: lines and steps are gone.
pub fn removed(attempt: &rows::Attempt) -> Option<&str> {
    attempt.log_cut.as_deref().filter(|why| why.starts_with(REMOVED))
}

/// One step of an attempt.
pub async fn step(app: &App, attempt_id: Uuid, number: u32) -> Result<Option<rows::Step>> {
    Ok(db::logs::some_steps(&app.db, attempt_id, vec![number.into()]).await?.pop())
}

/// The steps of an attempt, in the order in which they appeared.
pub async fn steps(app: &App, attempt_id: Uuid) -> Result<Vec<rows::Step>> {
    db::logs::steps(&app.db, attempt_id).await
}

fn clean(mut record: Record) -> Record {
    match &mut record {
        Record::StepStarted(step) => {
            cut(&mut step.name, limits::LONGEST_NAME);
            cut(&mut step.vertex, limits::LONGEST_ID);
        }
        Record::Line(line) => cut(&mut line.text, limits::LONGEST_TEXT),
        Record::Progress { id, .. } => cut(id, limits::LONGEST_ID),
        Record::StepDone(done) => {
            if let Some(error) = &mut done.error {
                cut(error, limits::LONGEST_TEXT);
            }
        }
        Record::Notice { text, .. } => cut(text, limits::LONGEST_TEXT),
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
