//! The patterns of a `.dockerignore` together: the last match wins, `!` makes exceptions, and a match of a directory
//! holds for all below it. A port of `github.com/moby/patternmatcher`, so that a build sees the same files as with
//! `docker build`.

use super::effort::Effort;
use super::failure::Failure;
use super::glob::{Glob, Room};

/// Real lists have some hundreds.
pub(super) const MOST_PATTERNS: usize = 10_000;
/// Of all patterns together.
const MOST_BYTES: usize = 1 << 20;
/// Linux knows no longer path.
pub(super) const LONGEST: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    glob: Glob,
    /// What comes before its first special character.
    literal: String,
    exception: bool,
}

/// Which patterns matched a directory, handed down to its children.
pub(super) type Matched = Vec<bool>;

impl Patterns {
    /// None when there are no patterns, which is something else for includes than for excludes.
    /// `room` is that of all patterns of a transfer.
    pub(super) fn new(patterns: &[String], room: &mut Room, effort: &mut Effort<'_>) -> Result<Option<Self>, Failure> {
        check_size(patterns)?;
        let mut all = Vec::new();
        for pattern in patterns.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty()) {
            let before = room.taken();
            all.push(Pattern::new(pattern, room)?);
            effort.spend((room.taken() - before) as u64)?;
        }
        Ok((!all.is_empty()).then_some(Self(all)))
    }

    /// Whether there are patterns with `!`, so that something may be wanted below an excluded directory.
    pub(super) fn has_exceptions(&self) -> bool {
        self.0.iter().any(|pattern| pattern.exception)
    }

    /// Whether an exception names something below a directory, as `!dir/keep` does.
    pub(super) fn excepts_below(&self, dir: &str) -> bool {
        let dir = format!("{dir}/");
        self.0.iter().any(|pattern| pattern.exception && pattern.literal.starts_with(&dir))
    }

    /// Whether `path` is matched, given which patterns matched its directory (`MatchesUsingParentResults`).
    ///
    /// An exception that was not due at the directory is tried on the path itself only: `!keep` does not bring back
    /// what lies below an excluded `dir/keep`.
    pub(super) fn matches(
        &self,
        path: &str,
        parent: Option<&Matched>,
        effort: &mut Effort<'_>,
    ) -> Result<(bool, Matched), Failure> {
        effort.spend(self.0.len() as u64 / 8)?;
        let mut is_match = false;
        let mut matched = vec![false; self.0.len()];
        for (index, pattern) in self.0.iter().enumerate() {
            let by_parent = parent.is_some_and(|parent| parent[index]);
            // Without a match before it an exception has nothing to say, and with one an inclusion has not.
            let due = pattern.exception == is_match;
            matched[index] = by_parent || (due && pattern.glob.is_match(path, effort)?);
            if matched[index] {
                is_match = !pattern.exception;
            }
        }
        Ok((is_match, matched))
    }

    /// Whether something below this directory could match; only to save the way there.
    pub(super) fn may_match_below(&self, dir: &str) -> bool {
        let dir = format!("{dir}/");
        let reaches = |literal: &str| literal.starts_with(&dir) || dir.starts_with(literal);
        self.0.iter().any(|pattern| !pattern.exception && reaches(&pattern.literal))
    }
}

/// Refuses more than anybody writes, before anything is made of it.
pub(super) fn check_size(patterns: &[String]) -> Result<(), Failure> {
    if patterns.len() > MOST_PATTERNS {
        return Err(Failure::TooManyPatterns { limit: MOST_PATTERNS });
    }
    if let Some(long) = patterns.iter().find(|pattern| pattern.len() > LONGEST) {
        return Err(Failure::pattern(long, format!("it is longer than {LONGEST} bytes")));
    }
    if patterns.iter().map(String::len).sum::<usize>() > MOST_BYTES {
        return Err(Failure::PatternsTooLarge { limit: MOST_BYTES });
    }
    Ok(())
}

impl Pattern {
    fn new(text: &str, room: &mut Room) -> Result<Self, Failure> {
        let (exception, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, clean(rest)),
            None => (false, clean(text)),
        };
        if text == "!" {
            return Err(Failure::pattern(text, "`!` needs something after it".to_owned()));
        }
        let glob = Glob::new(&pattern, room).map_err(|reason| Failure::pattern(text, reason))?;
        let literal = pattern.split(['*', '?', '[', '\\']).next().unwrap_or_default().to_owned();
        Ok(Self { glob, literal, exception })
    }
}

/// Go's `filepath.Clean` for a path below a root: no empty or `.` parts, `..` takes back what came before.
pub(super) fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
