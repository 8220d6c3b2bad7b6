//! What `?q=` found in a log.

use super::super::ansi;
use super::log::StepName;
use std::fmt::Write as _;
use std::ops::Range;

/// The answer in place of the log.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// As it was typed.
    pub query: String,
    /// Why it cannot be looked for.
    pub problem: Option<String>,
    /// In the whole log.
    pub hits: u64,
    /// Of them on this page.
    pub shown: u64,
    /// Step and line at which the search took too long and ended.
    pub stopped: Option<(u32, u32)>,
    pub steps: Vec<FoundStep>,
}

impl Search {
    /// `1,922 lines match, the first 500 are here`.
    pub fn summary(&self) -> String {
        let all = super::filters::plural_text(self.hits, "line matches", "lines match");
        if self.shown < self.hits {
            return format!("{all}, the first {} are here", super::filters::number_text(self.shown));
        }
        all
    }

    /// `The search took too long: it stopped at line 41,001 of step 9.`
    pub fn unfinished(&self) -> Option<String> {
        let (step, line) = self.stopped?;
        let line = super::filters::number_text(u64::from(line));
        Some(format!("The search took too long: it stopped at line {line} of step {step}."))
    }
}

/// Hits of one step.
#[derive(Debug, Clone)]
pub struct FoundStep {
    pub number: u32,
    pub name: StepName,
    pub lines: Vec<FoundLine>,
}

/// A hit, or a line beside one.
#[derive(Debug, Clone)]
pub struct FoundLine {
    pub number: u32,
    pub html: String,
    pub is_hit: bool,
    /// Lines between the one before and this one are not here.
    pub is_apart: bool,
}

/// A line's text as HTML, with marks where it matches.
pub fn marked(text: &str, places: impl Iterator<Item = Range<usize>>) -> String {
    let escaped = |text: &str| {
        let text = ansi::visible(text);
        askama::filters::escape(&text, askama::filters::Html).map_or_else(|_| String::new(), |e| e.to_string())
    };
    let (mut html, mut at) = (String::new(), 0);
    for place in places.filter(|place| !place.is_empty()) {
        let (before, hit) = (escaped(&text[at..place.start]), escaped(&text[place.clone()]));
        write!(html, "{before}<mark>{hit}</mark>").expect("a string takes any text");
        at = place.end;
    }
    html + &escaped(&text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_marked_in_escaped_text() {
        assert_eq!(marked("a <b> b", [3..4, 6..7].into_iter()), "a &#60;<mark>b</mark>&#62; <mark>b</mark>");
        assert_eq!(marked("x\u{202e}", std::iter::empty()), "x‹U+202E›");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let search = Search { hits: 1922, shown: 500, ..Search::default() };
        assert_eq!(search.summary(), "1,922 lines match, the first 500 are here");
        assert_eq!(Search { hits: 1, shown: 1, ..search.clone() }.summary(), "1 line matches");
        let stopped = Search { stopped: Some((9, 41_001)), ..search };
        let why = "The search took too long: it stopped at line 41,001 of step 9.";
        assert_eq!(stopped.unfinished().as_deref(), Some(why));
    }
}
