//! `?q=`: looks through the whole log of an attempt, batch by batch, and counts every line that matches.

use super::super::ansi::Style;
use super::super::views::log::StepName;
use super::super::views::search::{FoundLine, FoundStep, Search, marked};
use crate::app::App;
use crate::builds::{self, log::Conceal};
use crate::error::{Context, Result};
use regex::{Regex, RegexBuilder};
use slipway_protocol::{Line, Record};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Hits on one page; all are counted.
const MOST_SHOWN: u64 = 500;
/// HTML of one page, but for the last hit with its lines around.
const MOST_HTML: usize = 3 << 19;
/// Characters of a line beside a hit.
const LONGEST_BESIDE: usize = 1_000;
/// Lines before and after a hit.
const AROUND: usize = 2;
/// The HTML around a line, without the query that its link holds.
const AROUND_HTML: usize = 400;
const BATCH: usize = 2_000;
pub(super) const LONGEST_QUERY: usize = 200;
/// Marks in one line; `/./` matches each character.
const MOST_MARKS: usize = 50;
/// Matching may take so long, over the whole log.
const LONGEST: Duration = Duration::from_secs(2);
// Matching takes time in proportion to the line times the compiled pattern. Some `\w` fit, which stand for all letters of
// Unicode; words of 200 characters in any case are larger, and simple.
const LARGEST_PATTERN: usize = 256 << 10;
const LARGEST_WORDS: usize = 1 << 20;
const LARGEST_CACHE: usize = 1 << 20;
/// Searches at once, of all readers; each one fills a processor.
pub const AT_ONCE: usize = 2;

/// What a reader looks for: words as they stand, in any case, or `/a pattern/`.
fn pattern(query: &str) -> std::result::Result<Regex, String> {
    if query.chars().count() > LONGEST_QUERY {
        return Err(format!("It is longer than {LONGEST_QUERY} characters."));
    }
    let inner = query.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inner| !inner.is_empty());
    let built = match inner {
        Some(inner) => RegexBuilder::new(inner).size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_CACHE).build(),
        None => RegexBuilder::new(&regex::escape(query))
            .case_insensitive(true)
            .size_limit(LARGEST_WORDS)
            .dfa_size_limit(LARGEST_CACHE)
            .build(),
    };
    built.map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("This is no regular expression: {last}.")
    })
}

/// Looks for `query` in the records up to `until`.
pub(super) async fn find(
    app: &App,
    attempt_id: Uuid,
    until: u64,
    conceal: Option<&Conceal>,
    query: &str,
) -> Result<Search> {
    let not_looked = |problem: String| Search { query: query.to_owned(), problem: Some(problem), ..Search::default() };
    let pattern = match pattern(query) {
        Ok(pattern) => pattern,
        Err(problem) => return Ok(not_looked(problem)),
    };
    let Ok(_place) = app.searches.try_acquire() else {
        return Ok(not_looked("The server is busy with other searches. Try again in a moment.".to_owned()));
    };
    let mut finder = Finder::new(pattern, query, LONGEST);
    let mut after = 0;
    while after < until && finder.stopped.is_none() {
        let batch = builds::log::read(app, attempt_id, after, BATCH).await?;
        let Some((newest, _)) = batch.last() else { break };
        after = *newest;
        let conceal = conceal.cloned();
        // Away from the workers, which answer all other requests meanwhile.
        let looked = tokio::task::spawn_blocking(move || {
            let records = batch.into_iter().filter(|(number, _)| *number <= until).map(|(_, record)| record);
            finder.look(records, conceal.as_ref());
            finder
        });
        finder = looked.await.context("searching a log")?;
    }
    Ok(finder.found(query))
}

struct Finder {
    pattern: Regex,
    steps: BTreeMap<u32, Looked>,
    hits: u64,
    shown: u64,
    /// Bytes of HTML around each line.
    around: usize,
    /// Bytes of HTML that are shown.
    html: usize,
    /// Time that is left for matching.
    left: Duration,
    /// The line at which no time was left.
    stopped: Option<(u32, u32)>,
}

/// A step while it is looked through.
#[derive(Default)]
struct Looked {
    name: StepName,
    before: VecDeque<(u32, String)>,
    /// So many of the next lines stand after a hit.
    after: usize,
    lines: Vec<FoundLine>,
}

impl Finder {
    fn new(pattern: Regex, query: &str, left: Duration) -> Self {
        // A byte of it takes three in an address.
        let around = AROUND_HTML + 3 * query.len();
        Self { around, pattern, steps: BTreeMap::new(), hits: 0, shown: 0, html: 0, left, stopped: None }
    }

    /// Takes records until the time is used up.
    fn look(&mut self, records: impl Iterator<Item = Record>, conceal: Option<&Conceal>) {
        #[expect(clippy::disallowed_methods, reason = "measures its own time")]
        let start = Instant::now();
        for mut record in records {
            if let (Record::Line(line), true) = (&record, start.elapsed() >= self.left) {
                self.stopped = Some((line.step, line.line));
                return;
            }
            if let Some(conceal) = conceal {
                conceal.record(&mut record);
            }
            self.take(record);
        }
        self.left = self.left.saturating_sub(start.elapsed());
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::StepStarted(step) => {
                self.steps.entry(step.step).or_default().name = StepName::parse(&step.name);
            }
            Record::Line(line) => self.line(&line),
            _ => {}
        }
    }

    fn line(&mut self, line: &Line) {
        let step = self.steps.entry(line.step).or_default();
        let text = Style::default().text(line.text.as_bytes());
        if self.pattern.is_match(&text) {
            self.hits += 1;
            if self.shown < MOST_SHOWN && self.html < MOST_HTML {
                self.shown += 1;
                for (number, text) in std::mem::take(&mut step.before) {
                    self.html += self.around + step.show(number, marked(&text, std::iter::empty()), false);
                }
                let places = self.pattern.find_iter(&text).map(|m| m.range()).take(MOST_MARKS);
                self.html += self.around + step.show(line.line, marked(&text, places), true);
                step.after = AROUND;
                return;
            }
        }
        if step.after > 0 {
            step.after -= 1;
            self.html += self.around + step.show(line.line, marked(&beside(text), std::iter::empty()), false);
            return;
        }
        let text = beside(text);
        step.before.push_back((line.line, text));
        if step.before.len() > AROUND {
            step.before.pop_front();
        }
    }

    fn found(self, query: &str) -> Search {
        let steps = self.steps.into_iter().filter(|(_, step)| !step.lines.is_empty());
        let steps = steps.map(|(number, step)| FoundStep { number, name: step.name, lines: step.lines });
        let query = query.to_owned();
        let (hits, shown, stopped) = (self.hits, self.shown, self.stopped);
        Search { query, problem: None, hits, shown, stopped, steps: steps.collect() }
    }
}

impl Looked {
    /// The bytes that the line takes.
    fn show(&mut self, number: u32, html: String, is_hit: bool) -> usize {
        let is_apart = self.lines.last().is_some_and(|last| last.number + 1 != number);
        let bytes = html.len();
        self.lines.push(FoundLine { number, html, is_hit, is_apart });
        bytes
    }
}

/// A line beside a hit, shortened.
fn beside(text: String) -> String {
    match text.char_indices().nth(LONGEST_BESIDE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_protocol::{StepStarted, Stream};

    fn look(query: &str, texts: &[&str]) -> Search {
        look_for(query, texts, Duration::MAX)
    }

    fn look_for(query: &str, texts: &[&str], left: Duration) -> Search {
        let mut finder = Finder::new(pattern(query).unwrap(), query, left);
        let start = StepStarted { step: 1, vertex: String::new(), name: "[1/1] RUN x".to_owned(), at: 0 };
        let line = |line, text: &&str| {
            Record::Line(Line { step: 1, line, stream: Stream::Out, at: 0, text: (*text).to_owned() })
        };
        let lines = (1..).zip(texts).map(|(number, text)| line(number, text));
        finder.look(std::iter::once(Record::StepStarted(start)).chain(lines), None);
        finder.found(query)
    }

    fn numbers(search: &Search) -> Vec<(u32, bool, bool)> {
        search.steps.iter().flat_map(|s| &s.lines).map(|l| (l.number, l.is_hit, l.is_apart)).collect()
    }

    #[test]
    fn a_hit_comes_with_two_lines_around_it_and_none_twice() {
        let found = look("hit", &["a", "b", "c", "Hit", "d", "hit", "e", "f", "g", "h", "i", "j", "hit"]);
        let around = [(2, false, false), (3, false, false), (4, true, false), (5, false, false), (6, true, false)];
        let rest = [(7, false, false), (8, false, false), (11, false, true), (12, false, false), (13, true, false)];
        assert_eq!(numbers(&found), [&around[..], &rest[..]].concat());
        assert_eq!((found.hits, found.steps[0].name.instruction.as_str()), (3, "RUN"));
    }

    #[test]
    fn patterns_are_taken_and_wrong_ones_explained() {
        let lines = ["error[E1]", "a.b", "aXb", "\u{1b}[31mred\u{1b}[0m end"];
        for (query, hits) in [("/E[0-9]+/", 1), ("a.b", 1), ("/a.b/", 2), ("red end", 1), ("A.B", 1), ("/A.B/", 0)] {
            assert_eq!(look(query, &lines).hits, hits, "{query}");
        }
        assert!(pattern("/a(/").unwrap_err().contains("unclosed group"));
        assert!(pattern("/a{1000}{1000}/").is_err());
        assert!(pattern(&"x".repeat(201)).is_err());
    }

    #[test]
    fn every_hit_is_counted_and_some_are_shown() {
        let texts = vec!["hit"; 1_200];
        let found = look("hit", &texts);
        assert_eq!((found.hits, found.shown), (1_200, MOST_SHOWN));
        assert!(found.steps[0].lines.len() <= 502);
    }

    #[test]
    fn what_is_shown_has_its_bounds_whatever_the_lines_are() {
        let line = "hit \"\u{202e}".repeat(9_000);
        let found = look("hit \"", &vec![line.as_str(); 300]);
        let html: usize = found.steps[0].lines.iter().map(|line| line.html.len() + AROUND_HTML).sum();
        assert!(html < 2 << 20, "{html} bytes");
        assert_eq!(look("hit", &vec![line.as_str(); 300]).hits, 300);
    }

    #[test]
    fn a_pattern_is_small_and_marks_are_few() {
        for large in ["/(a?){150}{150}/", r"/(\w{3}){9}/", "/[^x]{5000}/"] {
            assert!(pattern(large).is_err(), "{large}");
        }
        for usual in [r"/\bw\w+\s\d+/", "/(warning|error)(\\[E\\d+\\])?:.*$/"] {
            assert!(pattern(usual).is_ok(), "{usual}");
        }
        assert!(pattern(&"ſ".repeat(200)).is_ok());
        let found = look("/./", &["x".repeat(16_000).as_str()]);
        assert_eq!(found.steps[0].lines[0].html.matches("<mark>").count(), MOST_MARKS);
    }

    #[test]
    fn a_search_ends_with_its_time_and_says_where() {
        let found = look_for("a", &["a", "a"], Duration::ZERO);
        assert_eq!((found.hits, found.stopped), (0, Some((1, 1))));
        assert_eq!(look("a", &["a", "a"]).stopped, None);
    }
}
