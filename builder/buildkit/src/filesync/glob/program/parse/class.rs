//! Classes of characters and escapes.

use super::super::{Class, Set};
use super::Parser;

/// A class of characters of Go's own.
pub(super) type Ranges = &'static [(char, char)];

/// What an escape stands for.
pub(super) enum Escape {
    Char(char),
    /// `\d` and the like.
    Ranges(Ranges, bool),
}

const DIGITS: Ranges = &[('0', '9')];
const SPACES: Ranges = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORDS: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

impl Parser<'_> {
    /// After `[`.
    pub(super) fn class(&mut self) -> Result<Set, String> {
        let mut class = Class::default();
        if self.rest.starts_with('^') {
            self.take();
            class.is_negated = true;
        }
        let mut is_first = true;
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            if let Some((ranges, is_negated)) = self.named()? {
                add(&mut class.ranges, ranges, is_negated);
                continue;
            }
            let low = match self.member()? {
                Escape::Char(char) => char,
                Escape::Ranges(ranges, is_negated) => {
                    add(&mut class.ranges, ranges, is_negated);
                    continue;
                }
            };
            let mut after = self.rest.chars();
            if after.next() != Some('-') || after.next().is_none_or(|char| char == ']') {
                class.ranges.push((low, low));
                continue;
            }
            self.take();
            match self.member()? {
                Escape::Char(high) if low <= high => class.ranges.push((low, high)),
                _ => return Err("a range in `[]` is upside down".to_owned()),
            }
        }
        self.take();
        self.add_class(class)
    }

    fn member(&mut self) -> Result<Escape, String> {
        match self.take() {
            Some('\\') => self.escape(),
            Some(char) => Ok(Escape::Char(char)),
            None => Err("a `[` is not closed".to_owned()),
        }
    }

    /// `[:alpha:]` inside of a class.
    fn named(&mut self) -> Result<Option<(Ranges, bool)>, String> {
        let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) else {
            return Ok(None);
        };
        let (name, is_negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let ranges: Ranges = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\u{7f}')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
            "digit" => DIGITS,
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => WORDS,
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err(format!("`[:{name}:]` is no class of characters")),
        };
        self.rest = rest;
        Ok(Some((ranges, is_negated)))
    }

    /// After `\`.
    pub(super) fn escape(&mut self) -> Result<Escape, String> {
        let char = self.take().ok_or("it ends in `\\`")?;
        Ok(Escape::Char(match char {
            'd' => return Ok(Escape::Ranges(DIGITS, false)),
            'D' => return Ok(Escape::Ranges(DIGITS, true)),
            's' => return Ok(Escape::Ranges(SPACES, false)),
            'S' => return Ok(Escape::Ranges(SPACES, true)),
            'w' => return Ok(Escape::Ranges(WORDS, false)),
            'W' => return Ok(Escape::Ranges(WORDS, true)),
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => self.number(16, 2, 2).ok_or("`\\x` needs two digits")?,
            '0' => self.number(8, 0, 2).unwrap_or('\0'),
            '1'..='7' => {
                let first = char.to_digit(8).unwrap_or_default();
                let rest = self.octal().ok_or_else(|| format!("`\\{char}` is no escape"))?;
                char::from_u32(first << (3 * rest.1) | rest.0).unwrap_or_default()
            }
            plain if plain.is_ascii() && !plain.is_ascii_alphanumeric() => plain,
            other => return Err(format!("`\\{other}` is no escape")),
        }))
    }

    /// One or two more octal digits, and how many.
    fn octal(&mut self) -> Option<(u32, u32)> {
        let digits = self.rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        let value = u32::from_str_radix(self.rest.get(..digits)?, 8).ok()?;
        self.rest = &self.rest[digits..];
        Some((value, u32::try_from(digits).ok()?))
    }

    fn number(&mut self, radix: u32, least: usize, most: usize) -> Option<char> {
        let digits = self.rest.chars().take(most).take_while(|char| char.is_digit(radix)).count();
        if digits < least {
            return None;
        }
        let value = u32::from_str_radix(self.rest.get(..digits)?, radix).ok()?;
        self.rest = &self.rest[digits..];
        char::from_u32(value)
    }
}

/// Adds a class to a class.
fn add(all: &mut Vec<(char, char)>, ranges: &[(char, char)], is_negated: bool) {
    if !is_negated {
        all.extend_from_slice(ranges);
        return;
    }
    let mut from = 0;
    for (low, high) in ranges {
        if let (Some(from), Some(to)) = (char::from_u32(from), u32::from(*low).checked_sub(1).and_then(char::from_u32))
        {
            all.push((from, to));
        }
        from = u32::from(*high) + 1;
    }
    all.extend(char::from_u32(from).map(|from| (from, char::MAX)));
}
