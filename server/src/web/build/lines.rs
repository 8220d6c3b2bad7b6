//! Lines of a step as HTML, read where they lie and drawn as far as a page has room.

use super::super::ansi::Style;
use super::super::views::log::{CHUNK, Chunk, Gap, LogLine};
use super::fold::log_line;
use crate::app::App;
use crate::builds::log::{Conceal, Reader};
use crate::error::Result;
use slipway_protocol::Line;
use std::collections::VecDeque;
use uuid::Uuid;

/// Lines of a step that are on the page in full; of longer ones the ends.
const WHOLE: u32 = 4_000;
const HEAD: u32 = CHUNK;
const TAIL: u32 = 2_000;
/// The HTML around a line.
const AROUND: usize = 170;
/// The HTML of a link, with the longest names of a repository.
const LINK: usize = 400;
/// Links to errors at each end of a gap.
const ERRORS_OF_A_GAP: usize = 4;

/// Bytes of HTML that a page, or a part of it, may still take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room(pub(super) usize);

impl Room {
    /// Takes room for a line; false when there is not enough.
    fn take(&mut self, line: &LogLine) -> bool {
        match self.0.checked_sub(size(line)) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }

    /// Takes what the links to errors in gaps need.
    pub(super) fn leave_for_links(&mut self, chunks: &[Chunk]) {
        let links: usize = chunks.iter().filter_map(|chunk| chunk.gap.as_ref()).map(|gap| gap.errors.len()).sum();
        self.0 = self.0.saturating_sub(links * LINK);
    }
}

fn size(line: &LogLine) -> usize {
    line.html.len() + AROUND
}

/// The lines of one attempt's log.
pub(super) struct Lines<'a> {
    app: &'a App,
    reader: Reader,
    conceal: Option<&'a Conceal>,
    /// The page's own address.
    base: &'a str,
    /// The last record that is shown.
    until: u64,
}

impl<'a> Lines<'a> {
    pub(super) async fn open(
        app: &'a App,
        attempt_id: Uuid,
        conceal: Option<&'a Conceal>,
        base: &'a str,
        until: u64,
    ) -> Result<Self> {
        Ok(Self { app, reader: Reader::open(app, attempt_id).await?, conceal, base, until })
    }

    /// A step of `all` lines: all of them, or its beginning and its end with a gap between.
    pub(super) async fn of_step(&mut self, step: u32, all: u32, room: &mut Room) -> Result<Vec<Chunk>> {
        if all == 0 {
            return Ok(Vec::new());
        }
        let to = if all <= WHOLE { all } else { HEAD };
        let mut left = if all <= WHOLE { *room } else { Room(room.0 / 4) };
        let before = left.0;
        let mut head = self.forward(step, (1, to), &mut left).await?;
        if head.last().is_some_and(|line| line.number == all) {
            room.0 -= before - left.0;
            return Ok(in_chunks(step, head.into_iter()));
        }
        // The end tells more than the beginning.
        if all <= WHOLE {
            let mut some = Room(room.0 / 4);
            let fits = head.iter().take(HEAD as usize).take_while(|line| some.take(line)).count();
            head.truncate(fits);
        }
        room.0 -= head.iter().map(size).sum::<usize>();
        let begins = head.last().map_or(1, |line| line.number + 1);
        let from = begins.max(Chunk::index_of(all.saturating_sub(TAIL - 1)) * CHUNK + 1);
        let tail = in_chunks(step, self.backward(step, (from, all), room).await?.into_iter());
        let ends = tail.first().and_then(Chunk::first_line).unwrap_or(all + 1);
        let mut chunks = in_chunks(step, head.into_iter());
        if let (Some(last), Some(first)) = (chunks.last_mut(), tail.first()) {
            last.is_part = !last.is_full() || last.index == first.index;
        }
        chunks.extend(self.gap(step, begins, ends - 1));
        chunks.extend(tail);
        Ok(chunks)
    }

    /// Lines `from..=to`, and what of them is not drawn as a gap.
    pub(super) async fn part(
        &mut self,
        step: u32,
        (from, to): (u32, u32),
        most: u32,
        room: &mut Room,
    ) -> Result<Vec<Chunk>> {
        let drawn = self.forward(step, (from, to.min(from.saturating_add(most - 1))), room).await?;
        let next = drawn.last().map(|line| line.number + 1);
        let mut chunks = parts(step, drawn.into_iter());
        chunks.extend(next.and_then(|next| self.gap(step, next, to)));
        Ok(chunks)
    }

    /// Line `at` of `from..=to` with some before and behind it, `most` in all; what is not drawn are gaps.
    pub(super) async fn around(
        &mut self,
        step: u32,
        (from, to): (u32, u32),
        at: u32,
        most: u32,
        room: &mut Room,
    ) -> Result<Vec<Chunk>> {
        let low = at.saturating_sub(most / 2).min(to.saturating_sub(most - 1)).max(from);
        let mut half = Room(room.0 / 2);
        let mut drawn = self.backward(step, (low, at), &mut half).await?;
        room.0 -= drawn.iter().map(size).sum::<usize>();
        let first = drawn.front().map_or(at, |line| line.number);
        let begins = drawn.back().map_or(at, |line| line.number + 1);
        drawn.extend(self.forward(step, (begins, to.min(first.saturating_add(most - 1))), room).await?);
        let next = drawn.back().map_or(at, |line| line.number + 1);
        let mut chunks = Vec::from_iter(first.checked_sub(1).and_then(|last| self.gap(step, from, last)));
        chunks.extend(parts(step, drawn.into_iter()));
        chunks.extend(self.gap(step, next, to));
        Ok(chunks)
    }

    /// From the first line on, as far as there is room. Colours carry over from line to line.
    async fn forward(&mut self, step: u32, (from, to): (u32, u32), room: &mut Room) -> Result<Vec<LogLine>> {
        let (mut drawn, mut next, mut style) = (Vec::new(), from, Style::default());
        while next <= to && room.0 > 0 {
            let lines = self.read(step, next, to.min(next.saturating_add(CHUNK - 1))).await?;
            let Some(last) = lines.last() else { break };
            next = last.line + 1;
            for line in &lines {
                let line = log_line(line, &mut style);
                // One at least, or a gap would lead to itself.
                if !room.take(&line) && !drawn.is_empty() {
                    return Ok(drawn);
                }
                drawn.push(line);
            }
        }
        Ok(drawn)
    }

    /// From the last line back, in whole chunks: the stream of the page appends to the last one. Only where the last
    /// chunk itself is too large, its end.
    async fn backward(&mut self, step: u32, (from, to): (u32, u32), room: &mut Room) -> Result<VecDeque<LogLine>> {
        let mut drawn = VecDeque::new();
        let mut last = to;
        while last >= from && last > 0 {
            let first = from.max(Chunk::index_of(last) * CHUNK + 1);
            let (chunk, is_whole) = self.end_of(step, (first, last), *room).await?;
            if !is_whole && !drawn.is_empty() {
                break;
            }
            room.0 -= chunk.iter().map(size).sum::<usize>();
            for line in chunk.into_iter().rev() {
                drawn.push_front(line);
            }
            if !is_whole {
                break;
            }
            last = first - 1;
        }
        Ok(drawn)
    }

    /// The last of these lines that fit, and whether all do.
    async fn end_of(&mut self, step: u32, (from, to): (u32, u32), room: Room) -> Result<(VecDeque<LogLine>, bool)> {
        let (mut drawn, mut bytes, mut style): (VecDeque<LogLine>, _, _) = (VecDeque::new(), 0, Style::default());
        let (mut next, mut is_whole) = (from, true);
        while next <= to {
            let lines = self.read(step, next, to).await?;
            let Some(last) = lines.last() else { break };
            next = last.line + 1;
            for line in &lines {
                let line = log_line(line, &mut style);
                bytes += size(&line);
                drawn.push_back(line);
                while bytes > room.0 {
                    let Some(first) = drawn.pop_front() else { break };
                    bytes -= size(&first);
                    is_whole = false;
                }
            }
        }
        Ok((drawn, is_whole))
    }

    fn gap(&self, step: u32, first: u32, last: u32) -> Option<Chunk> {
        gap(step, first, last, self.base)
    }

    /// One line as text, without its colours; `None` where it is not.
    pub(super) async fn text(&mut self, step: u32, line: u32) -> Result<Option<String>> {
        let line = self.read(step, line, line).await?.pop();
        Ok(line.map(|line| Style::default().text(line.text.as_bytes())))
    }

    async fn read(&mut self, step: u32, from: u32, to: u32) -> Result<Vec<Line>> {
        let mut lines = self.reader.lines(self.app, step, from, to, self.until).await?;
        if let Some(conceal) = self.conceal {
            for line in &mut lines {
                conceal.text(&mut line.text);
            }
        }
        Ok(lines)
    }
}

/// A place for the lines `first..=last`, which are not on the page; none for none.
pub(super) fn gap(step: u32, first: u32, last: u32, base: &str) -> Option<Chunk> {
    let gap = Gap { step, first, last, base: base.to_owned(), errors: Vec::new() };
    (first <= last).then(|| Chunk {
        gap: Some(gap),
        is_part: true,
        ..Chunk::of(step, Chunk::index_of(first), Vec::new())
    })
}

/// Notes in each gap which of its lines tell of errors: those at its ends, which a reader comes to first.
pub(super) fn note_errors(chunks: &mut [Chunk], errors: &[u32]) {
    for gap in chunks.iter_mut().filter_map(|chunk| chunk.gap.as_mut()) {
        let inside: Vec<u32> = errors.iter().copied().filter(|line| (gap.first..=gap.last).contains(line)).collect();
        let last = inside.len().saturating_sub(ERRORS_OF_A_GAP);
        let is_shown = |at: usize| at < ERRORS_OF_A_GAP || at >= last;
        gap.errors = inside.into_iter().enumerate().filter(|(at, _)| is_shown(*at)).map(|(_, line)| line).collect();
    }
}

/// Lines of one step, parted as the page parts them.
pub(super) fn in_chunks(step: u32, lines: impl Iterator<Item = LogLine>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for line in lines {
        let index = Chunk::index_of(line.number);
        match chunks.last_mut().filter(|c| c.index == index) {
            Some(chunk) => chunk.lines.push(line),
            None => chunks.push(Chunk::of(step, index, vec![line])),
        }
    }
    chunks
}

/// As `in_chunks`, of lines in the middle of a step.
fn parts(step: u32, lines: impl Iterator<Item = LogLine>) -> Vec<Chunk> {
    in_chunks(step, lines).into_iter().map(|chunk| Chunk { is_part: true, ..chunk }).collect()
}
