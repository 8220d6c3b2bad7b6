//! What a line of output looks like: an error, a warning, or words that only pass a failure on.

use super::raw::plain;

/// Characters of a line that are looked at.
const LOOKED_AT: usize = 200;

/// Whether a line tells of an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    None,
    Error,
    Warning,
}

/// What a line that tells of an error says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// What is wrong.
    Cause,
    /// Only that something failed before.
    PassedOn,
}

impl Mark {
    /// Looks at a line without its colours: the shapes of compilers, linkers, test runners, package managers, threads that
    /// panic or throw, and GitHub's commands.
    pub fn of(line: &str) -> Self {
        let line = line.trim_start();
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
            "[error]",
            "failure: ",
            "exception in thread ",
            "ninja: build stopped",
            "test result: failed",
            "cmake error",
            "\u{2718} [error]",
            "\u{2715} ",
            "\u{2717} ",
            "--- fail:",
        ]) || holds(&[
            ": error:",
            ": fatal error:",
            ": error ts",
            " - error ts",
            ": error msb",
            "): error ",
            " panicked at ",
        ]) || holds(&[": fatal: ", ": undefined reference to ", ": multiple definition of ", ": cannot find -l"])
            || (lower.starts_with("not ok ") && !holds(&["# todo", "# skip"]))
            || (starts(&["sh: ", "bash: ", "/bin/sh: ", "/bin/bash: "]) && lower.ends_with("not found"))
            || is_of_make(&lower)
            || is_of_go(&lower)
            || is_of_tests(line)
            || is_exception(line)
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

impl Failure {
    /// Of a line with what a terminal obeys; `None` unless it tells of an error.
    pub(super) fn of(text: &str) -> Option<Self> {
        // A progress bar writes one line over and over; the last time counts.
        let shown = plain(text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default());
        if Mark::of(&shown) != Mark::Error {
            return None;
        }
        Some(if passes_on(&start_of(&shown)) { Self::PassedOn } else { Self::Cause })
    }
}

/// Enough of a line to know its shape, in small letters.
fn start_of(line: &str) -> String {
    line.trim_start().chars().take(LOOKED_AT).collect::<String>().to_ascii_lowercase()
}

/// `make: *** …` and `gmake[2]: *** …`.
fn is_of_make(line: &str) -> bool {
    let line = line.strip_prefix('g').unwrap_or(line);
    line.strip_prefix("make")
        .is_some_and(|rest| rest.starts_with(": ***") || (rest.starts_with('[') && rest.contains("]: ***")))
}

/// `./main.go:5:2: undefined: x`, as Go's compiler and `go vet` say it. A test that goes well logs its lines as those that
/// fail do, with a line number and no column.
fn is_of_go(line: &str) -> bool {
    let Some((file, place)) = line.split_once(".go:") else { return false };
    let place = place.split_once(": ").map_or("", |(place, _)| place);
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let file = file.rsplit(' ').next().unwrap_or_default();
    let is_compiler = place.contains(':') || (file.contains('/') && !file.ends_with("_test"));
    is_compiler && place.split(':').all(is_number)
}

/// `FAIL src/app.test.js`, `FAILED tests/test_app.py::test_x`, `FAILED: app.o`, and pytest's `E   assert 1 == 2`.
fn is_of_tests(line: &str) -> bool {
    ["FAIL ", "FAIL: ", "FAIL\t", "FAILED ", "FAILED: ", "E   "].iter().any(|word| line.starts_with(word))
}

/// `TypeError: x is not a function`, `ModuleNotFoundError: …`, `java.lang.IllegalStateException: …`.
fn is_exception(line: &str) -> bool {
    let Some((name, _)) = line.split_once(": ") else { return false };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_name = name.len() < LOOKED_AT && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
    is_name
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.len() > 5
        && (last.ends_with("Error") || last.ends_with("Exception"))
}

/// As make, ninja, cargo, linkers, npm, yarn, just, bun and Maven end when what they ran has failed.
fn passes_on(line: &str) -> bool {
    let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
    let holds = |words: &[&str]| words.iter().any(|word| line.contains(word));
    // `make[1]: *** [Makefile:3: all] Error 2`; without the target it says itself what is wrong.
    (is_of_make(line) && holds(&["*** [", "*** waiting for"]))
        || starts(&[
            "ninja: build stopped",
            "error command failed",
            "[error] -> [help",
            "[error] re-run maven",
            "[error] [help",
        ])
        || line == "[error]"
        || starts(&["[error] to see the full stack", "[error] for more information about the errors"])
        || holds(&["linker command failed", ": error: ld returned "])
        || (starts(&["error: "]) && holds(OF_OTHERS))
        || is_end_of_npm(line)
}

/// What tools that begin their errors alike say of a program that they ran.
const OF_OTHERS: &[&str] = &[
    "could not compile",
    "aborting due to",
    "test failed, to rerun",
    "didn't exit successfully",
    " exit code ",
    " exited with code ",
];

/// All that npm 6 to 11 say when a script has failed.
fn is_end_of_npm(line: &str) -> bool {
    let Some(said) = line.strip_prefix("npm err!").or_else(|| line.strip_prefix("npm error")) else { return false };
    let said = said.trim();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    said.is_empty()
        || said.strip_prefix("code ").is_some_and(|code| code == "elifecycle" || is_number(code))
        || [
            "errno ",
            "syscall ",
            "file ",
            "workspace ",
            "location ",
            "exit status ",
            "lifecycle script ",
            "command ",
            "path ",
            "a complete log ",
            "test failed",
            "failed at the ",
        ]
        .iter()
        .any(|word| said.starts_with(word))
        || said.starts_with("this is probably not a problem with npm")
        || said.ends_with("-debug.log")
        || (said.contains('@') && said.ends_with('`'))
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
            ("    a_test.go:5: starting", Mark::None),
            ("2026/12/01 http.go:12: GET / 200", Mark::None),
            ("CMake Error at CMakeLists.txt:7 (find_package):", Mark::Error),
            ("not ok 2 - adds", Mark::Error),
            ("not ok 2 - adds # TODO later", Mark::None),
            ("sh: 1: tsc: not found", Mark::Error),
            ("TypeError: x is not a function", Mark::Error),
            ("E       assert 1 == 2", Mark::Error),
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
    fn what_only_passes_a_failure_on_is_known() {
        for text in [
            "make: *** [Makefile:3: all] Error 2",
            "make[2]: *** [src/a.o] Error 1",
            "make: *** [Makefile:5: all] Killed",
            "gmake[2]: *** [all] Segmentation fault (core dumped)",
            "\u{1b}[31mmake[2]: *** Waiting for unfinished jobs....",
            "ninja: build stopped: subcommand failed.",
            "error: could not compile `x` (lib) due to 1 previous error",
            "error: aborting due to 2 previous errors; 1 warning emitted",
            "error: test failed, to rerun pass `--lib`",
            "error: Recipe `build` failed on line 3 with exit code 1",
            "npm ERR! code ELIFECYCLE",
            "npm ERR! errno 1",
            "npm ERR! x@1.0.0 build: `tsc`",
            "npm ERR! Test failed.  See above for more details.",
            "npm ERR!     /root/.npm/_logs/2026-12-01T00_00_00_000Z-debug.log",
            "npm ERR!",
            "npm error code 1",
            "npm error path /app",
            "npm error command failed",
            "npm error command sh -c tsc",
            "npm error Lifecycle script `build` failed with error:",
            "error Command failed with exit code 1.",
            "clang: error: linker command failed with exit code 1 (use -v to see invocation)",
            "collect2: error: ld returned 1 exit status",
            "[ERROR] -> [Help 1]",
        ] {
            assert_eq!(Failure::of(text), Some(Failure::PassedOn), "{text:?}");
        }
        for text in [
            "make: *** No rule to make target 'x'.  Stop.",
            "npm ERR! code ERESOLVE",
            "npm error code E404",
            "error: no such file",
            "/usr/bin/ld: main.o: in function `main': main.c:(.text+0x5): undefined reference to `foo'",
            "FAILED: src/a.o",
        ] {
            assert_eq!(Failure::of(text), Some(Failure::Cause), "{text:?}");
        }
    }
}
