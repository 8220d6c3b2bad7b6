//! A build's log: steps, chunks of lines, and which lines tell of errors.

mod step_name;

pub use step_name::StepName;

use super::facts::State;
pub use crate::builds::log::Mark;

/// Lines in one chunk: old chunks are laid out only when they are looked at.
pub const CHUNK: u32 = 200;

#[derive(Debug, Clone, Default)]
pub struct LogView {
    /// Steps before the failed one, folded into one line.
    pub before: Option<Before>,
    pub steps: Vec<Step>,
    /// Sentences about what is not here.
    pub cut: Vec<String>,
    pub options: LogOptions,
    /// `…/raw`.
    pub raw_url: String,
    /// The line that a page without another one in its address begins with, `s9-L41001`.
    pub opens_at: Option<String>,
    /// `1,204 lines`, or empty while it runs.
    pub summary: String,
    /// What a search found before it led here; marked in the lines.
    pub find: String,
}

/// "8 steps before this one succeeded in 3s, 4 of them from cache".
#[derive(Debug, Clone)]
pub struct Before {
    pub text: String,
    pub steps: Vec<Step>,
}

/// What the reader chose, as query parameters that work without scripts.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogOptions {
    /// `ts=1`
    pub times: bool,
    /// `wrap=0`
    pub nowrap: bool,
    /// `plain=1`
    pub plain: bool,
}

impl LogOptions {
    pub fn times_url(self) -> String {
        Self { times: !self.times, ..self }.url()
    }

    pub fn wrap_url(self) -> String {
        Self { nowrap: !self.nowrap, ..self }.url()
    }

    pub fn plain_url(self) -> String {
        Self { plain: !self.plain, ..self }.url()
    }

    fn url(self) -> String {
        format!("?ts={}&wrap={}&plain={}", u8::from(self.times), u8::from(!self.nowrap), u8::from(self.plain))
    }
}

/// One vertex of BuildKit, or something that Slipway did (checkout, signing).
#[derive(Debug, Clone)]
pub struct Step {
    /// Order of first appearance, from 1; `s9` in links.
    pub number: u32,
    pub name: StepName,
    pub state: State,
    pub cached: bool,
    pub secs: Option<u64>,
    pub chunks: Vec<Chunk>,
    /// The newest pull or push progress.
    pub progress: Option<Progress>,
    pub open: bool,
    /// Of a failed step the lines before those that say why: folded.
    pub earlier: Option<Earlier>,
    /// The error of the step itself.
    pub error: Option<String>,
    /// Lines of Slipway's own that belong after this step.
    pub notices: Vec<String>,
}

impl Step {
    /// Without output.
    pub fn new(number: u32, name: StepName, state: State) -> Self {
        Self {
            number,
            name,
            state,
            cached: false,
            secs: None,
            chunks: Vec::new(),
            progress: None,
            open: state == State::Running || state.is_bad(),
            earlier: None,
            error: None,
            notices: Vec::new(),
        }
    }

    /// Ended without a word: it is no fold.
    pub fn is_silent(&self) -> bool {
        self.chunks.is_empty() && self.progress.is_none() && self.error.is_none() && !self.state.is_open()
    }
}

/// The beginning of a step's output, in one line.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// `Lines 1 to 49,980`.
    pub text: String,
    pub chunks: Vec<Chunk>,
}

/// Up to 200 lines, or a place for lines that are not on the page.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub step: u32,
    pub index: u32,
    pub lines: Vec<LogLine>,
    pub gap: Option<Gap>,
    /// Another chunk of the page may have other lines of the same two hundred: it has no address, and nothing is added to
    /// it.
    pub is_part: bool,
}

impl Chunk {
    /// Lines that lie together.
    pub fn of(step: u32, index: u32, lines: Vec<LogLine>) -> Self {
        Self { step, index, lines, gap: None, is_part: false }
    }

    /// The chunk that a line belongs to, from 0: `s9-c7`.
    pub fn index_of(line: u32) -> u32 {
        line.saturating_sub(1) / CHUNK
    }

    /// The number of its first line; of a gap none.
    pub fn first_line(&self) -> Option<u32> {
        self.lines.first().map(|line| line.number)
    }

    /// Its height is known before it is laid out.
    pub fn is_full(&self) -> bool {
        self.lines.len() == CHUNK as usize
    }
}

/// Lines that are loaded when they are asked for.
#[derive(Debug, Clone)]
pub struct Gap {
    pub step: u32,
    pub first: u32,
    pub last: u32,
    /// `/acme/web/-/builds/12`.
    pub base: String,
    /// Some of its lines that tell of errors, in order.
    pub errors: Vec<u32>,
}

impl Gap {
    /// `?from=s9-L201#s9-L201`: the same page with its first lines.
    pub fn url(&self) -> String {
        self.url_of(self.first)
    }

    fn url_of(&self, line: u32) -> String {
        let line = format!("s{}-L{line}", self.step);
        format!("{}?from={line}#{line}", self.base)
    }

    /// The errors with the page that has each.
    pub fn error_links(&self) -> Vec<(u32, String)> {
        self.errors.iter().map(|line| (*line, self.url_of(*line))).collect()
    }

    /// Answers with chunks (`live::Chunks`) that take its place; with `&at=41001` they hold this line.
    pub fn fragment_url(&self) -> String {
        format!("{}/lines?step={}&from={}&to={}", self.base, self.step, self.first, self.last)
    }
}

/// One line. `html` is made by `web::ansi` and is printed as it is.
#[derive(Debug, Clone)]
pub struct LogLine {
    pub step: u32,
    pub number: u32,
    /// `21:40:11.037`.
    pub time: String,
    pub html: String,
    pub mark: Mark,
}

/// Bytes or layers of a pull or push.
#[derive(Debug, Clone)]
pub struct Progress {
    /// `3 of 7 layers, 10.4 MB of 31.0 MB`.
    pub text: String,
    /// Percent, when the total is known.
    pub percent: Option<u64>,
}

impl LogLine {
    pub fn class(&self) -> &'static str {
        match self.mark {
            Mark::None => "ln",
            Mark::Error => "ln err",
            Mark::Warning => "ln wrn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_links_that_keep_each_other() {
        let options = LogOptions { times: true, ..LogOptions::default() };
        assert_eq!(options.wrap_url(), "?ts=1&wrap=0&plain=0");
        assert_eq!(options.times_url(), "?ts=0&wrap=1&plain=0");
        assert_eq!((Chunk::index_of(1), Chunk::index_of(200), Chunk::index_of(201)), (0, 0, 1));
    }
}
