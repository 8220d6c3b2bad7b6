//! Which lines of a log tell of errors. Their numbers are noted beside their step as the lines come, so that a page leads
//! to them without a look at the log, however long that is.

use super::raw::plain;
use super::read::{first_line, first_line_from, lines_of_step};
use crate::app::App;
use crate::db::rows;
use crate::error::Result;
use uuid::Uuid;

/// The first and the last ones of a step are kept; of those between there are too many.
const MOST: usize = 64;
const FIRST: usize = MOST / 2;
/// Errors with more lines between them than this belong to different troubles.
const APART: u32 = 500;
/// Where nothing was noted: so many of the last lines are looked at.
const LAST_LINES: u32 = 2_000;

/// Whether a line tells of an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    None,
    Error,
    Warning,
}

impl Mark {
    /// Looks at a line without its colours: the shapes of rustc, gcc, tsc, npm, pip, make, Go, Maven, Gradle, of threads that
    /// panic or throw, and of GitHub's commands.
    pub fn of(line: &str) -> Self {
        let lower = start_of(line);
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
            "[error]",
            "failure: ",
            "exception in thread ",
        ]) || holds(&[": error:", ": fatal error:", ": error ts", "): error ", " panicked at ", ": fatal: "])
            || (starts(&["make["]) && holds(&["]: ***"]))
            || is_of_go(&lower)
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
}

/// Enough of a line to know its shape, in small letters.
fn start_of(line: &str) -> String {
    line.trim_start().chars().take(200).collect::<String>().to_ascii_lowercase()
}

/// `./main.go:5:2: undefined: x`, as Go's compiler and `go vet` say it.
fn is_of_go(line: &str) -> bool {
    let Some((_, place)) = line.split_once(".go:") else { return false };
    let place = place.split_once(": ").map_or("", |(place, _)| place);
    !place.is_empty() && place.split(':').all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// What a line of output without its colours says of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It says what is wrong.
    Cause,
    /// It only passes on that something failed before.
    PassedOn,
}

impl Failure {
    /// Of a line with what a terminal obeys.
    pub(super) fn of(text: &str) -> Option<Self> {
        // A progress bar writes one line over and over; the last time counts.
        let shown = plain(text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default());
        if Mark::of(&shown) != Mark::Error {
            return None;
        }
        Some(if passes_on(&start_of(&shown)) { Self::PassedOn } else { Self::Cause })
    }
}

/// As make, cargo, linkers, npm, yarn, just and bun end when what they ran has failed.
fn passes_on(line: &str) -> bool {
    let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
    let holds = |words: &[&str]| words.iter().any(|word| line.contains(word));
    // `make[1]: *** [Makefile:3: all] Error 2`; without the target it says itself what is wrong.
    (starts(&["make: ***", "make["]) && (holds(&["*** ["]) && holds(&["] error "]) || holds(&["*** waiting for"])))
        || (starts(&["error: "])
            && holds(&["could not compile", "aborting due to", " exit code ", " exited with code "]))
        || (starts(&["npm err! ", "npm error "])
            && holds(&["elifecycle", "errno ", "exit status ", "lifecycle script"]))
        || starts(&["error command failed"])
        || holds(&["linker command failed", ": error: ld returned "])
}

/// Adds a line to those of its step: the first ones and the last ones stay, and of those that only pass a failure on the
/// ones that have nothing before them.
pub(super) fn note(lines: &mut Vec<u32>, line: u32, failure: Failure) {
    if failure == Failure::PassedOn && !lines.is_empty() {
        return;
    }
    if lines.len() == MOST {
        lines.remove(FIRST);
    }
    lines.push(line);
}

/// As a row holds them; `None` when nobody noted any.
pub(super) fn parse(row: &rows::Step) -> Option<Vec<u32>> {
    serde_json::from_str(row.errors.as_deref()?).ok()
}

/// The lines of a step that are known to tell of errors, in order: its first ones and its last ones.
pub fn errors(row: &rows::Step) -> Vec<u32> {
    parse(row).unwrap_or_default()
}

/// The line that best says why a step failed, and whether it is its first error. Where one trouble was got over and
/// another one came much later, the later one.
pub async fn main_error(app: &App, attempt_id: Uuid, step: u32) -> Result<Option<(u32, bool)>> {
    let Some(row) = super::step(app, attempt_id, step).await? else { return Ok(None) };
    if let Some(lines) = parse(&row) {
        return Ok(main_of(&lines));
    }
    if let Some(line) = first_line(app, attempt_id, step, |text| Failure::of(text).is_some()).await? {
        return Ok(Some((line, true)));
    }
    let near_the_end = lines_of_step(app, attempt_id, step).await?.saturating_sub(LAST_LINES) + 1;
    let found = first_line_from(app, attempt_id, step, near_the_end, |text| Failure::of(text).is_some()).await?;
    Ok(found.map(|line| (line, true)))
}

fn main_of(lines: &[u32]) -> Option<(u32, bool)> {
    let first = *lines.first()?;
    // Between the halves of a full list some are missing: nobody knows how far apart they were.
    let is_apart = |at: usize| (lines.len() < MOST || at != FIRST) && lines[at] - lines[at - 1] > APART;
    let main = (1..lines.len()).rev().find(|at| is_apart(*at)).map_or(first, |at| lines[at]);
    Some((main, main == first))
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
            ("thread 'main' panicked at src/main.rs:3:5:", Mark::Error),
            ("thread 'main' (4711) panicked at src/main.rs:3:5:", Mark::Error),
            ("[ERROR] Failed to execute goal org.apache.maven.plugins:x", Mark::Error),
            ("FAILURE: Build failed with an exception.", Mark::Error),
            ("Exception in thread \"main\" java.lang.NullPointerException", Mark::Error),
            ("./main.go:5:2: undefined: x", Mark::Error),
            ("cmd/api/main.go:12: undefined: x", Mark::Error),
            ("vet: ./main.go:5:2: undefined: x", Mark::Error),
            ("git: fatal: not a repository", Mark::Error),
            ("    main.go:5:2", Mark::None),
            ("main.go: ok", Mark::None),
            ("[INFO] errors are fine", Mark::None),
            ("warning: unused import", Mark::Warning),
            ("a.c:1:1: warning: unused", Mark::Warning),
            ("errors are fine", Mark::None),
            ("0 errors, 0 warnings", Mark::None),
        ] {
            assert_eq!(Mark::of(line), mark, "{line}");
        }
    }

    #[test]
    fn an_error_is_known_behind_colours_and_progress() {
        for text in ["\u{1b}[1;31merror\u{1b}[0m: no", "10 %\r20 %\rerror: no", "error: no\r"] {
            assert_eq!(Failure::of(text), Some(Failure::Cause), "{text:?}");
        }
        assert_eq!(Failure::of("error: no\rdone     "), None);
    }

    #[test]
    fn the_first_errors_and_the_last_ones_are_kept() {
        let mut lines = Vec::new();
        for line in 1..=1_000 {
            note(&mut lines, line, Failure::Cause);
        }
        assert_eq!(lines, (1..=32).chain(969..=1_000).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_that_was_got_over_is_not_why_a_step_failed() {
        let full: Vec<u32> = (1..=32).chain(40_000..40_032).collect();
        for (lines, main) in [
            (vec![], None),
            (vec![49_998], Some((49_998, true))),
            (vec![5, 40, 500], Some((5, true))),
            (vec![12, 49_990, 49_998], Some((49_990, false))),
            (full, Some((1, true))),
        ] {
            assert_eq!(main_of(&lines), main, "{lines:?}");
        }
    }

    #[test]
    fn a_line_that_passes_a_failure_on_belongs_to_the_error_before_it() {
        for text in [
            "make: *** [Makefile:3: all] Error 2",
            "make[2]: *** [src/a.o] Error 1",
            "\u{1b}[31mmake[2]: *** Waiting for unfinished jobs....",
            "error: could not compile `x` (lib) due to 1 previous error",
            "error: aborting due to 2 previous errors; 1 warning emitted",
            "error: Recipe `build` failed on line 3 with exit code 1",
            "npm ERR! code ELIFECYCLE",
            "npm error Lifecycle script `build` failed with error:",
            "error Command failed with exit code 1.",
            "clang: error: linker command failed with exit code 1 (use -v to see invocation)",
            "collect2: error: ld returned 1 exit status",
        ] {
            assert_eq!(Failure::of(text), Some(Failure::PassedOn), "{text:?}");
            let mut lines = Vec::new();
            note(&mut lines, 9, Failure::PassedOn);
            note(&mut lines, 10, Failure::Cause);
            note(&mut lines, 49_990, Failure::PassedOn);
            assert_eq!(lines, [9, 10]);
        }
        for text in ["make: *** No rule to make target 'x'.  Stop.", "npm ERR! code ERESOLVE", "error: no such file"] {
            assert_eq!(Failure::of(text), Some(Failure::Cause), "{text:?}");
        }
    }
}
