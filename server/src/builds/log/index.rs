//! Where things lie in a sealed log, so that any part of it is read without the rest.

use super::raw;
use super::spans::Spans;
use serde::{Deserialize, Serialize};
use slipway_protocol::Record;
use std::collections::BTreeMap;

// A chunk is what is read at once: small enough for memory, large enough that the index stays small.
const CHUNK_RECORDS: u64 = 500;
const CHUNK_BYTES: u64 = 256 << 10;
/// A log of the largest size that prints by turns in a few dozen steps has fewer.
const MOST_PLACES: usize = 100_000;

/// Whether a chunk of so many records and bytes takes no more.
pub(super) fn is_full(records: u64, bytes: u64) -> bool {
    records >= CHUNK_RECORDS || bytes >= CHUNK_BYTES
}

/// The index of one sealed log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub chunks: Vec<Chunk>,
    /// Bytes of the object, and of the raw text with and without ANSI marks.
    pub end: Offsets,
    /// What the raw text depends on; `None` in an index of before there were any.
    #[serde(default)]
    pub spans: Option<Spans>,
    /// For each step, line and record number where it appears first in a chunk.
    pub steps: BTreeMap<u32, Vec<(u32, u64)>>,
    /// In all of `steps`, while it is made.
    #[serde(skip)]
    places: usize,
}

/// `record` is the number of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub record: u64,
    pub at: Offsets,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offsets {
    pub bytes: u64,
    pub text: u64,
    pub plain: u64,
}

impl Offsets {
    /// In the raw text.
    pub(super) fn raw(self, ansi: bool) -> u64 {
        if ansi { self.text } else { self.plain }
    }
}

impl Index {
    /// For a log of whose records the spans are known.
    pub(super) fn with_spans(spans: Spans) -> Self {
        Self { spans: Some(spans), ..Self::default() }
    }

    /// Adds a batch by its places.
    pub(super) fn add_batch(&mut self, first: u64, places: &[(u32, u32, u64)]) {
        self.chunks.push(Chunk { record: first, at: Offsets::default() });
        for (step, line, record) in places {
            self.steps.entry(*step).or_default().push((*line, *record));
        }
    }

    /// Notes the next record, which takes `bytes` in the object.
    pub(super) fn add(&mut self, number: u64, record: &Record, bytes: u64) {
        let last = self.chunks.last();
        if last.is_none_or(|c| is_full(number - c.record, self.end.bytes - c.at.bytes)) {
            self.chunks.push(Chunk { record: number, at: self.end });
        }
        if let Record::Line(line) = record {
            let chunk = self.chunks.last().map_or(0, |c| c.record);
            let known = self.steps.entry(line.step).or_default();
            // Where very many steps print by turns, lines are looked for from further before.
            if self.places < MOST_PLACES && known.last().is_none_or(|(_, record)| *record < chunk) {
                known.push((line.line, number));
                self.places += 1;
            }
        }
        self.end.bytes += bytes;
        let raw = |ansi| raw::text(number, record, ansi, self.spans.as_ref()).len() as u64;
        let (text, plain) = (raw(true), raw(false));
        self.end.text += text;
        self.end.plain += plain;
    }

    /// Where the chunk with the record after `after` lies: first record, start and end in the object.
    pub(super) fn chunk_after(&self, after: u64) -> Option<(u64, u64, u64)> {
        let next = self.chunks.partition_point(|c| c.record <= after + 1);
        let chunk = self.chunks.get(next.checked_sub(1)?)?;
        let end = self.chunks.get(next).map_or(self.end.bytes, |c| c.at.bytes);
        Some((chunk.record, chunk.at.bytes, end))
    }

    /// The last chunk that begins at or before a byte of the raw text.
    pub(super) fn chunk_at_raw(&self, offset: u64, ansi: bool) -> Option<Chunk> {
        let next = self.chunks.partition_point(|c| c.at.raw(ansi) <= offset);
        self.chunks.get(next.checked_sub(1)?).copied()
    }

    /// The record after which a line of a step is found.
    pub(super) fn before_line(&self, step: u32, line: u32) -> u64 {
        let known = self.steps.get(&step).map(Vec::as_slice).unwrap_or_default();
        let next = known.partition_point(|(l, _)| *l <= line);
        next.checked_sub(1).and_then(|i| known.get(i)).map_or(0, |(_, record)| record - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_protocol::{Line, Stream};

    #[test]
    fn an_index_of_before_is_read_and_its_text_stays() {
        let old = r#"{"chunks":[],"end":{"bytes":1,"text":2,"plain":2},"steps":{}}"#;
        let index: Index = serde_json::from_str(old).unwrap();
        let done = slipway_protocol::StepDone { step: 1, at: 9, cached: false, error: None };
        assert_eq!(raw::text(7, &Record::StepDone(done), true, index.spans.as_ref()), "#1 DONE\n");
    }

    #[test]
    fn every_record_and_line_is_found() {
        let mut index = Index::default();
        for n in 1..=2_000u32 {
            let (step, line) = (1 + n % 2, n.div_ceil(2));
            let record = Record::Line(Line { step, line, stream: Stream::Out, at: 0, text: "x".into() });
            index.add(n.into(), &record, 10);
        }
        assert_eq!(index.chunks.len(), 4);
        assert_eq!(index.chunk_after(0), Some((1, 0, 5_000)));
        assert_eq!(index.chunk_after(499), Some((1, 0, 5_000)));
        assert_eq!(index.chunk_after(500), Some((501, 5_000, 10_000)));
        assert_eq!(index.chunk_after(1_999), Some((1_501, 15_000, 20_000)));
        for (step, line) in [(1, 1), (2, 1), (1, 300), (2, 999)] {
            let after = index.before_line(step, line);
            let record = u64::from(line) * 2 - u64::from(step == 2);
            assert!(after < record && record - after <= 510, "step {step} line {line}: after {after}");
        }
        assert_eq!(index.chunk_at_raw(index.chunks[2].at.text + 1, true), Some(index.chunks[2]));
    }
}
