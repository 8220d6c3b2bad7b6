//! Lines of a log by their step and number, from wherever they lie, without the rest of the log.

use super::index::Index;
use super::read::{Cursor, parse, sealed};
use crate::app::App;
use crate::db::{self, ObjectKey};
use crate::error::{Context, Result};
use slipway_protocol::{Line, Record};
use uuid::Uuid;

/// Records that are looked through for the lines of one question; a step whose lines lie further apart has a gap.
const MOST_RECORDS: u64 = 50_000;
/// Text of the lines that one question answers with, but for a line that is longer.
const MOST_BYTES: usize = 2 << 20;

/// A log, opened for several questions.
pub struct Reader {
    attempt_id: Uuid,
    index: Index,
    sealed_key: Option<ObjectKey>,
    /// The records that were read last, all behind number `.0`.
    read: (u64, Vec<(u64, Record)>),
}

impl Reader {
    pub async fn open(app: &App, attempt_id: Uuid) -> Result<Self> {
        if let Some((index, key)) = sealed(app, attempt_id).await? {
            return Ok(Self { attempt_id, index, sealed_key: Some(key), read: Default::default() });
        }
        let mut index = Index::default();
        for (first, places) in db::logs::places(&app.db, attempt_id).await? {
            let places = match places {
                Some(text) => serde_json::from_str(&text).context("reading the places of a batch")?,
                None => places_in_body(app, attempt_id, first).await?,
            };
            index.add_batch(first.unsigned_abs(), &places);
        }
        Ok(Self { attempt_id, index, sealed_key: None, read: Default::default() })
    }

    /// Lines `from..=to` of a step, in records up to `until`. Fewer where they end before, or are larger than an answer.
    pub async fn lines(&mut self, app: &App, step: u32, from: u32, to: u32, until: u64) -> Result<Vec<Line>> {
        let start = self.index.before_line(step, from);
        let (mut after, mut lines, mut bytes) = (start, Vec::new(), 0);
        while after < until && after - start < MOST_RECORDS {
            let records = self.after(app, after).await?;
            let Some((last, _)) = records.last() else { break };
            after = *last;
            for (_, record) in records.iter().take_while(|(number, _)| *number <= until) {
                let Record::Line(line) = record else { continue };
                if line.step != step || line.line < from {
                    continue;
                }
                if line.line > to || bytes > MOST_BYTES {
                    return Ok(lines);
                }
                bytes += line.text.len();
                lines.push(line.clone());
                if line.line == to {
                    return Ok(lines);
                }
            }
        }
        Ok(lines)
    }

    /// The records behind number `after` that lie together; those of small steps are read once.
    async fn after(&mut self, app: &App, after: u64) -> Result<&[(u64, Record)]> {
        let (from, records) = &self.read;
        let is_here = *from <= after && records.last().is_some_and(|(last, _)| after < *last);
        if !is_here {
            let index = self.sealed_key.clone().map(|key| (&self.index, key));
            let found = Cursor::new(self.attempt_id, after).once(app, index).await?;
            self.read = (after, found);
        }
        let next = self.read.1.partition_point(|(number, _)| *number <= after);
        Ok(&self.read.1[next..])
    }
}

/// A batch of before its places were noted.
async fn places_in_body(app: &App, attempt_id: Uuid, first: i64) -> Result<Vec<(u32, u32, u64)>> {
    let Some(batch) = db::logs::batch_after(&app.db, attempt_id, first - 1).await? else { return Ok(Vec::new()) };
    let mut places: Vec<(u32, u32, u64)> = Vec::new();
    for (number, record) in (batch.first.unsigned_abs()..).zip(parse(&batch.body)?) {
        if let Record::Line(line) = record
            && places.iter().all(|(step, ..)| *step != line.step)
        {
            places.push((line.step, line.line, number));
        }
    }
    Ok(places)
}
