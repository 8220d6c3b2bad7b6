//! Reading records, from rows or from the sealed object; a log that is sealed meanwhile is read on.

use super::index::Index;
use crate::app::App;
use crate::db::{self, ObjectKey, rows};
use crate::error::{Context, Error, Result};
use futures_util::TryStreamExt as _;
use slipway_protocol::{Line, Record};
use uuid::Uuid;

/// A page asks for no more at once.
const MOST_LINES: u32 = 5_000;
/// Lines in memory while one is looked for.
const AT_ONCE: u32 = 200;

/// At most `limit` records after number `after`, with their numbers.
pub async fn read(app: &App, attempt_id: Uuid, after: u64, limit: usize) -> Result<Vec<(u64, Record)>> {
    let mut cursor = Cursor::new(attempt_id, after);
    let mut records = Vec::new();
    while records.len() < limit {
        let some = cursor.next(app).await?;
        if some.is_empty() {
            break;
        }
        records.extend(some);
    }
    records.truncate(limit);
    Ok(records)
}

/// What Slipway said at the very end of a log: of a lost attempt, why.
pub async fn last_notice(app: &App, attempt: &rows::Attempt) -> Result<Option<String>> {
    let before = attempt.last_record.unsigned_abs().saturating_sub(1);
    Ok(match read(app, attempt.id, before, 1).await?.pop() {
        Some((_, Record::Notice { text, .. })) => Some(text),
        _ => None,
    })
}

/// Lines `from..=to` of a step, 5,000 at most; fewer where the log ends before.
pub async fn step_lines(app: &App, attempt_id: Uuid, step: u32, from: u32, to: u32) -> Result<Vec<Line>> {
    let row = db::logs::some_steps(&app.db, attempt_id, vec![step.into()]).await?.pop();
    let there = row.and_then(|s| u32::try_from(s.lines).ok()).unwrap_or_default();
    let from = from.max(1);
    let to = to.min(there).min(from.saturating_add(MOST_LINES - 1));
    let mut lines = Vec::new();
    if from > to {
        return Ok(lines);
    }
    let mut cursor = Cursor::new(attempt_id, before_line(app, attempt_id, step, from).await?);
    loop {
        let some = cursor.next(app).await?;
        if some.is_empty() {
            return Ok(lines);
        }
        for (_, record) in some {
            let Record::Line(line) = record else { continue };
            if line.step == step && line.line >= from {
                if line.line > to {
                    return Ok(lines);
                }
                let last = line.line == to;
                lines.push(line);
                if last {
                    return Ok(lines);
                }
            }
        }
    }
}

/// The number of the first line of a step whose text is wanted, among its first 5,000.
pub async fn first_line(app: &App, attempt_id: Uuid, step: u32, wanted: impl Fn(&str) -> bool) -> Result<Option<u32>> {
    // Lines may be long: a few at a time, for each page that is open asks this when a build fails.
    for from in (1..=MOST_LINES).step_by(AT_ONCE as usize) {
        let lines = step_lines(app, attempt_id, step, from, from + AT_ONCE - 1).await?;
        if let Some(line) = lines.iter().find(|line| wanted(&line.text)) {
            return Ok(Some(line.line));
        }
        if lines.is_empty() {
            break;
        }
    }
    Ok(None)
}

/// A record before which a line of a step does not occur.
async fn before_line(app: &App, attempt_id: Uuid, step: u32, line: u32) -> Result<u64> {
    if let Some((index, ..)) = sealed(app, attempt_id).await? {
        return Ok(index.before_line(step, line));
    }
    // Backwards: mostly the newest lines are asked for while a build runs.
    let mut before = i64::MAX;
    while let Some(batch) = db::logs::batch_before(&app.db, attempt_id, before).await? {
        before = batch.first;
        let earlier = parse(&batch.body)?.into_iter().any(|record| match record {
            Record::Line(l) => l.step == step && l.line <= line,
            Record::StepStarted(s) => s.step == step && line == 1,
            _ => false,
        });
        if earlier {
            return Ok(batch.first.unsigned_abs() - 1);
        }
    }
    Ok(0)
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
