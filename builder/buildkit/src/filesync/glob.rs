//! One pattern of a `.dockerignore`, as moby's patternmatcher reads it.
//!
//! Its four ways to match are kept apart as there, for they differ in the corners: `**foo` matches `barfoo`, while
//! `**/*foo` is a regular expression.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

#[derive(Debug)]
pub(super) enum Glob {
    Exact(String),
    /// `dir/**`: what begins with `dir/`.
    Prefix(String),
    /// `**/name` or `**name`.
    Suffix(String),
    Regex(Regex),
}

impl Glob {
    /// `pattern` is clean: no `.`, no double or trailing slash.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let mut kind = Kind::Exact;
        let mut regex = String::from("^");
        let mut rest = pattern.chars().peekable();
        let mut first = true;
        while let Some(char) = rest.next() {
            match char {
                '*' if rest.next_if_eq(&'*').is_some() => {
                    // `**/` reads as `**`.
                    rest.next_if_eq(&'/');
                    if rest.peek().is_some() {
                        regex.push_str("(.*/)?");
                        kind = Kind::Regex;
                    } else if kind == Kind::Exact {
                        kind = Kind::Prefix;
                    } else {
                        regex.push_str(".*");
                        kind = Kind::Regex;
                    }
                    if first {
                        kind = Kind::Suffix;
                    }
                }
                special => {
                    let is_literal = push(special, &mut rest, &mut regex)?;
                    if !is_literal {
                        kind = Kind::Regex;
                    }
                }
            }
            first = false;
        }
        regex.push('$');
        Ok(match kind {
            Kind::Exact => Self::Exact(pattern.to_owned()),
            Kind::Prefix => Self::Prefix(pattern[..pattern.len() - 2].to_owned()),
            Kind::Suffix => Self::Suffix(pattern[2..].to_owned()),
            Kind::Regex => Self::Regex(Regex::new(&regex).map_err(|error| error.to_string())?),
        })
    }

    pub(super) fn is_match(&self, path: &str) -> bool {
        match self {
            Self::Exact(pattern) => path == pattern,
            Self::Prefix(prefix) => path.starts_with(prefix),
            // `**/name` matches `name` itself, too.
            Self::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix('/').is_some_and(|name| name == path),
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Regex,
}

/// Adds one element of a pattern to the regular expression; says whether it stands for itself.
fn push(char: char, rest: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<bool, String> {
    match char {
        '*' => regex.push_str("[^/]*"),
        '?' => regex.push_str("[^/]"),
        '\\' => {
            let escaped = rest.next().ok_or("it ends in `\\`")?;
            literal(escaped, regex);
        }
        '[' => class(rest, regex)?,
        plain => {
            literal(plain, regex);
            return Ok(true);
        }
    }
    Ok(false)
}

fn literal(char: char, regex: &mut String) {
    regex.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
}

/// `[a-z_]`, `[^0-9]`: every element is escaped, for the expression's own syntax knows more than a pattern's.
fn class(rest: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<(), String> {
    const OPEN: &str = "a `[` is not closed";
    regex.push('[');
    if rest.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    let mut empty = true;
    loop {
        match rest.next().ok_or(OPEN)? {
            ']' if empty => return Err("`[]` is empty".to_owned()),
            ']' => break,
            '-' if empty || rest.peek() == Some(&']') => {
                return Err("a `-` in `[]` needs two ends".to_owned());
            }
            low => {
                member(low, rest, regex)?;
                if rest.next_if_eq(&'-').is_some() {
                    regex.push('-');
                    let high = rest.next().filter(|char| *char != ']').ok_or(OPEN)?;
                    member(high, rest, regex)?;
                }
            }
        }
        empty = false;
    }
    regex.push(']');
    Ok(())
}

fn member(char: char, rest: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<(), String> {
    let char = if char == '\\' { rest.next().ok_or("it ends in `\\`")? } else { char };
    literal(char, regex);
    Ok(())
}
