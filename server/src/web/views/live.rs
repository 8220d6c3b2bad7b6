//! What the stream of a build page sends: messages for htmx, made of the same pieces as the page.
//!
//! ```text
//! id: 1-57-7                             attempt, record and step number; the next connection sends it as Last-Event-ID
//! data: <hx-partial hx-target="#s9-c0" hx-swap="beforeend">…
//! ```
//! Unnamed messages are swapped; `event: finished` (data: a sentence) ends following; `event: done` ends the connection.
//! Each line of a message needs its own `data: `, as SSE wants it. Nothing in a fragment holds a carriage return.

use super::build::{BuildView, Newer};
use super::builds::BuildRow;
use super::layout::Counts;
use super::log::{Chunk, LogLine, Progress, Step};
use super::{build, facts, filters};
use askama::Template;

/// Lines for a chunk that is on the page: all of one chunk.
#[derive(Template)]
#[template(path = "builds/live/lines.html")]
pub struct AppendLines<'a> {
    pub step: u32,
    pub chunk: u32,
    pub lines: &'a [LogLine],
}

/// A chunk that is not on the page yet, with its first lines.
#[derive(Template)]
#[template(path = "builds/live/chunk.html")]
pub struct AppendChunk<'a> {
    pub chunk: &'a Chunk,
}

/// Chunks in place of a gap: the answer to `Gap::fragment_url`.
#[derive(Template)]
#[template(path = "builds/live/chunks.html")]
pub struct Chunks<'a> {
    pub chunks: &'a [Chunk],
}

/// A step that has just begun.
#[derive(Template)]
#[template(path = "builds/live/step.html")]
pub struct AppendStep<'a> {
    pub step: &'a Step,
}

/// A step in place of itself: it ended without a word, or begins again after that.
#[derive(Template)]
#[template(path = "builds/live/step_whole.html")]
pub struct SwapStep<'a> {
    pub step: &'a Step,
}

/// The state of a step that is on the page: its lines stay.
#[derive(Template)]
#[template(path = "builds/live/step_head.html")]
pub struct SwapStepHead<'a> {
    pub step: &'a Step,
}

/// Bytes of a pull or push, updated in place.
#[derive(Template)]
#[template(path = "builds/live/progress.html")]
pub struct SwapProgress<'a> {
    pub step: u32,
    pub progress: &'a Progress,
}

/// Something Slipway says inside the log: a cap, a retry.
#[derive(Template)]
#[template(path = "builds/live/notice.html")]
pub struct AppendNotice<'a> {
    pub text: &'a str,
}

/// Title, icon, buttons, facts, result and stages: sent when the build's state changes.
#[derive(Template)]
#[template(path = "builds/live/state.html")]
pub struct SwapState<'a> {
    pub build: &'a BuildView,
    /// `acme/web`, for the window's title.
    pub repository: &'a str,
}

/// Duration, counts, stages and place in line: sent every few seconds while the build is open.
#[derive(Template)]
#[template(path = "builds/live/moving.html")]
pub struct SwapMoving<'a> {
    pub build: &'a BuildView,
}

/// A newer attempt began: the log starts again, empty.
#[derive(Template)]
#[template(path = "builds/live/restart.html")]
pub struct ClearLog<'a> {
    /// `The builder was lost. This is attempt 2.`
    pub text: &'a str,
}

/// The counters of the repository's tabs: a build came or ended.
#[derive(Template)]
#[template(path = "builds/live/counts.html")]
pub struct SwapCounts {
    pub counts: Counts,
}

/// A newer build of the same ref.
#[derive(Template)]
#[template(path = "builds/live/newer.html")]
pub struct SwapNewer<'a> {
    pub newer: &'a Newer,
}

/// The rows of an open list of builds.
#[derive(Template)]
#[template(path = "builds/live/rows.html")]
pub struct SwapRows<'a> {
    pub rows: &'a [BuildRow],
    pub counts: Counts,
}

/// One message of the stream. `id` may be empty: then the last one stays.
pub fn message(id: &str, html: &str) -> String {
    let mut out = if id.is_empty() { String::new() } else { format!("id: {id}\n") };
    // SSE also ends lines at a lone carriage return, which a title may hold.
    for line in html.split(['\n', '\r']).filter(|line| !line.trim().is_empty()) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out
}

/// A named message: `finished` with a sentence, or `done`.
pub fn event(id: &str, name: &str, text: &str) -> String {
    format!("event: {name}\n{}", message(id, if text.is_empty() { "-" } else { text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_message_is_data() {
        assert_eq!(message("1-7", "<a>\n\n  <b>\rx"), "id: 1-7\ndata: <a>\ndata:   <b>\ndata: x\n\n");
        assert_eq!(event("", "done", ""), "event: done\ndata: -\n\n");
    }
}
