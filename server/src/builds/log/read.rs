//! Reading records, from rows or from the sealed object; a log that is sealed meanwhile is read on.

use super::index::Index;
use super::reader::Reader;
use super::spans::Spans;
use crate::app::App;
use crate::db::{self, ObjectKey, rows};
use crate::error::{Context, Error, Result};
use futures_util::TryStreamExt as _;
#[cfg(test)]
use slipway_protocol::Line;
use slipway_protocol::Record;
use uuid::Uuid;

/// Where an error is looked for; the first one is among the first lines mostly.
const MOST_LINES: u32 = 5_000;
const MOST_BYTES: usize = 8 << 20;
/// Lines in memory while one is looked for.
const AT_ONCE: u32 = 200;

/// Text that is in memory at once, but for one chunk of a log.
const MOST_READ: usize = 512 << 10;

/// At most `limit` records after number `after`, with their numbers; fewer when they are large, none only at the end.
pub async fn read(app: &App, attempt_id: Uuid, after: u64, limit: usize) -> Result<Vec<(u64, Record)>> {
    let mut cursor = Cursor::new(attempt_id, after);
    let mut records = Vec::new();
    let mut bytes = 0;
    while records.len() < limit && bytes < MOST_READ {
        let some = cursor.next(app).await?;
        if some.is_empty() {
            break;
        }
        bytes += some.iter().map(|(_, record)| size_of(record)).sum::<usize>();
        records.extend(some);
    }
    records.truncate(limit);
    Ok(records)
}

/// About what a record takes in memory.
pub(super) fn size_of(record: &Record) -> usize {
    text_of(record).len() + 64
}

/// About what a record takes where it is stored: JSON has six bytes for a control character.
pub(super) fn stored_size_of(record: &Record) -> usize {
    size_of(record) + 5 * text_of(record).bytes().filter(u8::is_ascii_control).count()
}

fn text_of(record: &Record) -> &str {
    match record {
        Record::StepStarted(step) => &step.name,
        Record::Line(line) => &line.text,
        Record::StepDone(step) => step.error.as_deref().unwrap_or_default(),
        Record::Notice { text, .. } => text,
        Record::Progress { id, .. } => id,
    }
}

/// What Slipway said at the very end of a log: of a lost attempt, why.
pub async fn last_notice(app: &App, attempt: &rows::Attempt) -> Result<Option<String>> {
    let before = attempt.last_record.unsigned_abs().saturating_sub(1);
    Ok(match read(app, attempt.id, before, 1).await?.pop() {
        Some((_, Record::Notice { text, .. })) => Some(text),
        _ => None,
    })
}

/// How many lines a step has now.
pub(super) async fn lines_of_step(app: &App, attempt_id: Uuid, step: u32) -> Result<u32> {
    let row = db::logs::some_steps(&app.db, attempt_id, vec![step.into()]).await?.pop();
    Ok(row.and_then(|s| u32::try_from(s.lines).ok()).unwrap_or_default())
}

/// Lines `from..=to` of a step; fewer where the log ends before.
#[cfg(test)]
pub async fn step_lines(app: &App, attempt_id: Uuid, step: u32, from: u32, to: u32) -> Result<Vec<Line>> {
    let to = to.min(lines_of_step(app, attempt_id, step).await?);
    if from > to {
        return Ok(Vec::new());
    }
    Reader::open(app, attempt_id).await?.lines(app, step, from, to, u64::MAX).await
}

/// The number of the first line of a step whose text is wanted, among its first 5,000.
pub async fn first_line(app: &App, attempt_id: Uuid, step: u32, wanted: impl Fn(&str) -> bool) -> Result<Option<u32>> {
    first_line_from(app, attempt_id, step, 1, wanted).await
}

/// As `first_line`, among the 5,000 lines from `start` on.
pub async fn first_line_from(
    app: &App,
    attempt_id: Uuid,
    step: u32,
    start: u32,
    wanted: impl Fn(&str) -> bool,
) -> Result<Option<u32>> {
    let mut reader = Reader::open(app, attempt_id).await?;
    let (mut from, mut bytes) = (start, 0);
    // Lines may be long: a few at a time, for each page that is open asks this when a build fails.
    while from - start < MOST_LINES && bytes < MOST_BYTES {
        let lines = reader.lines(app, step, from, from + AT_ONCE - 1, u64::MAX).await?;
        if let Some(line) = lines.iter().find(|line| wanted(&line.text)) {
            return Ok(Some(line.line));
        }
        bytes += lines.iter().map(|line| line.text.len()).sum::<usize>();
        match lines.last() {
            Some(last) => from = last.line + 1,
            None => break,
        }
    }
    Ok(None)
}

/// Walks a log, one batch or chunk at a time.
pub(super) struct Cursor {
    attempt_id: Uuid,
    after: u64,
    index: Option<(Index, ObjectKey)>,
}

impl Cursor {
    pub(super) fn new(attempt_id: Uuid, after: u64) -> Self {
        Self { attempt_id, after, index: None }
    }

    /// As `next`, by an index that was read before.
    pub(super) async fn once(mut self, app: &App, index: Option<(&Index, ObjectKey)>) -> Result<Vec<(u64, Record)>> {
        let Some((index, key)) = index else { return self.next(app).await };
        let (first, records) = from_sealed(app, index, &key, self.after).await?;
        Ok((first..).zip(records).filter(|(number, _)| *number > self.after).collect())
    }

    /// The next records with their numbers; none at the end of what there is now.
    pub(super) async fn next(&mut self, app: &App) -> Result<Vec<(u64, Record)>> {
        let after = i64::try_from(self.after).unwrap_or(i64::MAX);
        let (first, records) = match &self.index {
            Some((index, key)) => from_sealed(app, index, key, self.after).await?,
            None => match db::logs::batch_after(&app.db, self.attempt_id, after).await? {
                Some(batch) => (batch.first.unsigned_abs(), parse(&batch.body)?),
                None => match sealed(app, self.attempt_id).await? {
                    Some((index, key)) => {
                        let found = from_sealed(app, &index, &key, self.after).await?;
                        self.index = Some((index, key));
                        found
                    }
                    None => (1, Vec::new()),
                },
            },
        };
        let next: Vec<_> = (first..).zip(records).filter(|(number, _)| *number > self.after).collect();
        if let Some((last, _)) = next.last() {
            self.after = *last;
        }
        Ok(next)
    }
}

/// The spans of the records up to `last`: which starts and ends the text has is known only once all were read.
pub(super) async fn spans(app: &App, attempt_id: Uuid, last: u64) -> Result<Spans> {
    let (mut cursor, mut spans) = (Cursor::new(attempt_id, 0), Spans::default());
    loop {
        let some = cursor.next(app).await?;
        if some.is_empty() {
            return Ok(spans);
        }
        some.iter().filter(|(number, _)| *number <= last).for_each(|(number, record)| spans.note(*number, record));
    }
}

/// The index of a sealed log, and where it lies.
pub(super) async fn sealed(app: &App, attempt_id: Uuid) -> Result<Option<(Index, ObjectKey)>> {
    let Some(row) = db::logs::find_sealed(&app.db, attempt_id).await? else { return Ok(None) };
    let index = serde_json::from_str(&row.index).context("reading the index of a log")?;
    Ok(Some((index, row.storage_key)))
}

async fn from_sealed(app: &App, index: &Index, key: &ObjectKey, after: u64) -> Result<(u64, Vec<Record>)> {
    let Some((first, start, end)) = index.chunk_after(after) else { return Ok((1, Vec::new())) };
    let stream = app.storage.read(key, start, end - start).await?;
    let stream = stream.ok_or_else(|| Error::internal("reading a sealed log", format!("{key} is absent")))?;
    let bytes = stream
        .try_fold(Vec::new(), |mut all, some| async move {
            all.extend_from_slice(&some);
            Ok(all)
        })
        .await
        .context("reading a sealed log")?;
    Ok((first, parse(&bytes)?))
}

/// JSON lines.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Record>> {
    body.split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).context("reading a log record"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_takes_in_storage_is_known_before_it_is_written() {
        for text in ["x", "\u{1}"] {
            let record = Record::Notice { at: 1, text: text.repeat(10_000) };
            let about = stored_size_of(&record).abs_diff(super::super::line_of(&record).len());
            assert!(about < 100, "{text:?}: {about} bytes beside it");
        }
    }
}
