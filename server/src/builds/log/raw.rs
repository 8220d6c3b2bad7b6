//! A log as plain text, for downloads: as a stream, whole or a range of bytes.

use super::Conceal;
use super::read::{Cursor, sealed, spans};
use super::spans::Spans;
use crate::app::App;
use crate::db;
use crate::error::{Error, Result};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use slipway_protocol::Record;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// The text of a log, or a part of it.
pub struct Raw {
    /// Bytes of the whole text.
    pub total: u64,
    /// First and last byte when a part was asked for: `Content-Range`.
    pub range: Option<(u64, u64)>,
    pub length: u64,
    pub stream: Pin<Box<dyn Stream<Item = Result<Bytes>>>>,
}

/// Opens a log; what `conceal` covers is stars in it. `range` is the value of a `Range` header, and one that names several parts is not heeded (RFC 9110, 14.2).
pub async fn open(
    app: Arc<App>,
    attempt_id: Uuid,
    ansi: bool,
    conceal: Option<Conceal>,
    range: Option<&str>,
) -> Result<Raw> {
    let Measured { total, records, spans } = measure(&app, attempt_id, ansi).await?;
    let range = match range.and_then(parse_range) {
        Some(range) => Some(range.within(total).ok_or(Error::RangeNotSatisfiable { size: total })?),
        None => None,
    };
    let (start, end) = range.map_or((0, total), |(first, last)| (first, last + 1));
    let (after, position) = match sealed(&app, attempt_id).await? {
        Some((index, _)) => index.chunk_at_raw(start, ansi).map_or((0, 0), |c| (c.record - 1, c.at.raw(ansi))),
        None => (0, 0),
    };
    let cursor = Cursor::new(attempt_id, after);
    let walk = Walk { app, cursor, position, start, end, records, spans, ansi, conceal };
    Ok(Raw { total, range, length: end - start, stream: Box::pin(try_unfold(walk, Walk::step)) })
}

/// What is known of a text before it is sent.
struct Measured {
    /// In bytes.
    total: u64,
    /// The last record in it: what a running build adds later is not part of this answer.
    records: u64,
    /// `None` for a log that was sealed by a version which did not know them.
    spans: Option<Spans>,
}

async fn measure(app: &App, attempt_id: Uuid, ansi: bool) -> Result<Measured> {
    if let Some((index, _)) = sealed(app, attempt_id).await? {
        return Ok(Measured { total: index.end.raw(ansi), records: u64::MAX, spans: index.spans });
    }
    let attempt = db::builds::find_attempt(&app.db, attempt_id).await?.ok_or_else(|| Error::not_found("this log"))?;
    let last = attempt.last_record.unsigned_abs();
    let spans = spans(app, attempt_id, last).await?;
    let (mut cursor, mut total) = (Cursor::new(attempt_id, 0), 0);
    loop {
        let some = cursor.next(app).await?;
        if some.is_empty() {
            return Ok(Measured { total, records: last, spans: Some(spans) });
        }
        let some = some.iter().filter(|(number, _)| *number <= last);
        total += some.map(|(number, record)| text(*number, record, ansi, Some(&spans)).len() as u64).sum::<u64>();
    }
}

/// Where a download is. `position` is the text's byte at which the cursor stands.
struct Walk {
    app: Arc<App>,
    cursor: Cursor,
    position: u64,
    start: u64,
    end: u64,
    records: u64,
    spans: Option<Spans>,
    ansi: bool,
    conceal: Option<Conceal>,
}

impl Walk {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>> {
        while self.position < self.end {
            let records = self.cursor.next(&self.app).await?;
            if records.is_empty() {
                return Ok(None);
            }
            let mut out = String::new();
            for (number, record) in records.iter().filter(|(n, _)| *n <= self.records) {
                let mut text = text(*number, record, self.ansi, self.spans.as_ref());
                self.conceal.iter().for_each(|c| c.rendered(record, &mut text));
                out.push_str(&text);
            }
            let from = self.start.saturating_sub(self.position).min(out.len() as u64);
            let to = (self.end - self.position).min(out.len() as u64);
            self.position += out.len() as u64;
            if from < to {
                // Cut as bytes: a range may end inside a character.
                let slice = |n: u64| usize::try_from(n).expect("it is within a text in memory");
                let part = Bytes::from(out).slice(slice(from)..slice(to));
                return Ok(Some((part, self)));
            }
        }
        Ok(None)
    }
}

/// One record as text, in the manner of `docker build --progress=plain`. It depends on nothing before it but what `spans`
/// knows of the whole log; without them every start and end is there, as in logs of before.
pub(super) fn text(number: u64, record: &Record, ansi: bool, spans: Option<&Spans>) -> String {
    let plain = |text: &str| harmless(text, ansi);
    match record {
        Record::StepStarted(s) if spans.is_some_and(|spans| !spans.is_head(number, s.step)) => String::new(),
        Record::StepStarted(s) => format!("#{} {}\n", s.step, plain(&s.name)),
        Record::Line(l) => format!("#{} {}\n", l.step, plain(&l.text)),
        Record::Progress { .. } => String::new(),
        Record::StepDone(d) if spans.is_some_and(|spans| !spans.is_end(number, d.step)) => String::new(),
        Record::StepDone(d) => match (&d.error, d.cached) {
            (Some(error), _) => format!("#{} ERROR: {}\n", d.step, plain(error)),
            (None, true) => format!("#{} CACHED\n", d.step),
            (None, false) => match spans.and_then(|spans| spans.took(d.step, d.at)) {
                Some(took) => format!("#{} DONE {}.{}s\n", d.step, took / 1_000, took % 1_000 / 100),
                None => format!("#{} DONE\n", d.step),
            },
        },
        Record::Notice { text, .. } => format!("# {}\n", plain(text)),
    }
}

/// A line without anything that a terminal obeys.
pub(super) fn plain(text: &str) -> String {
    harmless(text, false)
}

/// Of what a terminal obeys, colours and weights stay (SGR), or nothing: whoever prints the file to a terminal gets no
/// other title, link, clipboard or place of the cursor from it.
fn harmless(text: &str, ansi: bool) -> String {
    let mut clean = Clean { text: String::with_capacity(text.len()), ansi };
    vte::Parser::new().advance(&mut clean, text.as_bytes());
    clean.text
}

struct Clean {
    text: String,
    ansi: bool,
}

impl vte::Perform for Clean {
    fn print(&mut self, c: char) {
        // Some terminals take U+009B for the beginning of a sequence.
        if !c.is_control() {
            self.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        if matches!(byte, b'\t' | b'\n') {
            self.text.push(byte.into());
        }
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], is_cut: bool, action: char) {
        if !self.ansi || action != 'm' || !intermediates.is_empty() || is_cut {
            return;
        }
        let numbers = |param: &[u16]| param.iter().map(u16::to_string).collect::<Vec<_>>().join(":");
        let params: Vec<_> = params.iter().map(numbers).collect();
        write!(self.text, "\u{1b}[{}m", params.join(";")).expect("a string takes any text");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    From(u64, Option<u64>),
    Last(u64),
}

impl Range {
    /// First and last byte; `None` when there is none such.
    fn within(self, total: u64) -> Option<(u64, u64)> {
        let last = total.checked_sub(1)?;
        match self {
            Self::From(first, end) => (first <= last).then(|| (first, end.unwrap_or(last).min(last))),
            Self::Last(0) => None,
            Self::Last(n) => Some((total.saturating_sub(n), last)),
        }
    }
}

/// `bytes=0-99`, `bytes=100-` or `bytes=-5000`; anything else is as no range.
fn parse_range(header: &str) -> Option<Range> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    match (first.is_empty(), last.is_empty()) {
        (true, false) => last.parse().ok().map(Range::Last),
        (false, true) => first.parse().ok().map(|n| Range::From(n, None)),
        (false, false) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Range::From(first, Some(last)))
        }
        (true, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_rfc() {
        for (header, total, expected) in [
            ("bytes=0-9", 100, Some((0, 9))),
            ("bytes=90-", 100, Some((90, 99))),
            ("bytes=90-500", 100, Some((90, 99))),
            ("bytes=-5", 100, Some((95, 99))),
            ("bytes=-500", 100, Some((0, 99))),
            ("bytes=100-", 100, None),
            ("bytes=-0", 100, None),
            ("bytes=0-", 0, None),
        ] {
            assert_eq!(parse_range(header).unwrap().within(total), expected, "{header}");
        }
        for ignored in ["lines=1-2", "bytes=5-2", "bytes=0-1,5-6", "bytes=-", "bytes=a-b"] {
            assert_eq!(parse_range(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn only_colours_stay_and_without_them_only_text() {
        for (given, coloured, plain) in [
            ("\u{1b}[1;31merror\u{1b}[0m: \tü", "\u{1b}[1;31merror\u{1b}[0m: \tü", "error: \tü"),
            ("\u{1b}[38:2:1:2:3mx\u{1b}[m", "\u{1b}[38:2:1:2:3mx\u{1b}[0m", "x"),
            ("\u{1b}]0;title\u{7}done", "done", "done"),
            ("\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link", "link"),
            ("\u{1b}]52;c;cm0gLXJm\u{7}x", "x", "x"),
            ("\u{1b}[2J\u{1b}[1;1H\u{1b}[?1049h\u{1b}[>4;1mx\u{1b}[6n", "x", "x"),
            ("\u{1b}P+q544e\u{1b}\\a\u{1b}cb\u{9b}31mc", "ab31mc", "ab31mc"),
            ("a\rb\u{8}c\u{7f}\u{1b}", "abc", "abc"),
        ] {
            assert_eq!(
                (harmless(given, true).as_str(), harmless(given, false).as_str()),
                (coloured, plain),
                "{given:?}"
            );
        }
    }
}
