//! One pattern of a `.dockerignore`, as moby's patternmatcher reads it.
//!
//! Its four ways to match are kept apart as there, for they differ in the corners: `**foo` matches `barfoo`, while
//! `**/*foo` goes by parts. moby writes a regular expression and compiles it; here the same expression is a list of
//! items, one for each character that the pattern stands for, and a path is matched in time that grows with both lengths.

mod program;
mod room;
mod syntax;
mod translate;

use program::Program;
pub(super) use room::Room;
use translate::Kind;

use super::effort::Effort;
use super::failure::Failure;

#[derive(Debug)]
pub(super) enum Glob {
    Exact(String),
    /// `dir/**`: what begins with `dir/`.
    Prefix(String),
    /// `**/name` or `**name`.
    Suffix(String),
    Program(Program),
}

impl Glob {
    /// `pattern` is clean: no `.`, no double or trailing slash. Takes of `room` what it is compiled to.
    pub(super) fn new(pattern: &str, room: &mut Room) -> Result<Self, String> {
        syntax::check(pattern)?;
        let (kind, expression) = translate::translate(pattern);
        Ok(match kind {
            Kind::Exact => Self::Exact(pattern.to_owned()),
            Kind::Prefix => Self::Prefix(pattern[..pattern.len() - 2].to_owned()),
            Kind::Suffix => Self::Suffix(pattern[2..].to_owned()),
            Kind::Expression => Self::Program(Program::parse(&expression, room)?),
        })
    }

    /// What it keeps in memory beside its own text.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        if let Self::Program(program) = self { program.bytes() } else { 0 }
    }

    pub(super) fn is_match(&self, path: &str, effort: &mut Effort<'_>) -> Result<bool, Failure> {
        effort.spend(1)?;
        Ok(match self {
            Self::Exact(pattern) => path == pattern,
            Self::Prefix(prefix) => path.starts_with(prefix),
            // `**/name` matches `name` itself, too.
            Self::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix('/').is_some_and(|name| name == path),
            Self::Program(program) => program.is_match(path, effort)?,
        })
    }
}
