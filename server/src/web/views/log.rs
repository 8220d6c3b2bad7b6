//! A build's log: steps, chunks of lines, and which lines tell of errors.

mod step_name;

pub use step_name::StepName;

use super::facts::State;

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
    /// The error of the step itself.
    pub error: Option<String>,
    /// Lines of Slipway's own that belong after this step.
    pub notices: Vec<String>,
}

impl Step {
    /// Ended without a word: it is no fold.
    pub fn is_silent(&self) -> bool {
        self.chunks.is_empty() && self.progress.is_none() && self.error.is_none() && !self.state.is_open()
    }
}

/// Up to 200 lines, or a place for lines that are not on the page.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub step: u32,
    pub index: u32,
    pub lines: Vec<LogLine>,
    pub gap: Option<Gap>,
}

impl Chunk {
    /// The chunk that a line belongs to, from 0: `s9-c7`.
    pub fn index_of(line: u32) -> u32 {
        line.saturating_sub(1) / CHUNK
    }
}

/// Lines that are loaded when they are asked for.
#[derive(Debug, Clone)]
pub struct Gap {
    pub first: u32,
    pub last: u32,
    /// `?from=41001#s9-L41001`: the same page from there on.
    pub url: String,
    /// Answers with chunks (`live::Chunks`), loaded in place of this one when it comes into view.
    pub fragment_url: String,
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

/// Whether a line tells of an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    None,
    Error,
    Warning,
}

impl Mark {
    /// Looks at a line without its colours: the shapes of rustc, gcc, tsc, npm, pip, make, Go, and of GitHub's commands.
    pub fn of(line: &str) -> Self {
        let line = line.trim_start();
        let lower: String = line.chars().take(200).collect::<String>().to_ascii_lowercase();
        let starts = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
        let holds = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if starts(&[
            "error:",
            "error[",
            "error ",
            "fatal:",
            "fatal error",
            "panic:",
            "npm err!",
            "npm error",
            "::error",
            "e: ",
            "traceback (most recent",
            "make: ***",
        ]) || holds(&[": error:", ": fatal error:", ": error ts", "): error "])
            || (starts(&["make["]) && holds(&["]: ***"]))
        {
            Self::Error
        } else if starts(&["warning:", "warning[", "warn:", "npm warn", "::warning", "w: ", "deprecation:"])
            || holds(&[": warning:", "): warning "])
        {
            Self::Warning
        } else {
            Self::None
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Self::None => "ln",
            Self::Error => "ln err",
            Self::Warning => "ln wrn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_errors_and_warnings_are_marked() {
        for (line, mark) in [
            ("error[E0308]: mismatched types", Mark::Error),
            ("src/x.c:3:5: error: expected ';'", Mark::Error),
            ("src/a.ts(1,2): error TS2304: no", Mark::Error),
            ("npm ERR! code ELIFECYCLE", Mark::Error),
            ("make[1]: *** [all] Error 2", Mark::Error),
            ("warning: unused import", Mark::Warning),
            ("a.c:1:1: warning: unused", Mark::Warning),
            ("errors are fine", Mark::None),
            ("0 errors, 0 warnings", Mark::None),
        ] {
            assert_eq!(Mark::of(line), mark, "{line}");
        }
    }

    #[test]
    fn options_are_links_that_keep_each_other() {
        let options = LogOptions { times: true, ..LogOptions::default() };
        assert_eq!(options.wrap_url(), "?ts=1&wrap=0&plain=0");
        assert_eq!(options.times_url(), "?ts=0&wrap=1&plain=0");
        assert_eq!((Chunk::index_of(1), Chunk::index_of(200), Chunk::index_of(201)), (0, 0, 1));
    }
}
