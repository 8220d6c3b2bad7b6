//! Reads an expression as Go's `regexp` does, as far as translated patterns need it.
//!
//! What patterns bring in beyond `*`, `?` and `**` are classes and escapes. Escapes that Go reads as something else than
//! a character, a class of characters or an end are refused: nobody means them in a list of files.

use super::super::translate::DIRS;
use super::{Class, Item, Program, Set, Way};

/// Of one way; a pattern without `{n}` has two for each character at most.
const MOST_ITEMS: usize = 16 << 10;
/// What Go takes.
const MOST_TIMES: usize = 1_000;

impl Program {
    /// Reads an expression that is anchored at both ends.
    pub(in super::super) fn parse(expression: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: expression, items: Vec::new(), classes: Vec::new() };
        let mut ways = Vec::new();
        loop {
            let is_first = ways.is_empty();
            let has_more = parser.way(is_first)?;
            let mut items = std::mem::take(&mut parser.items);
            // The anchors belong to the first way and to the last.
            if has_more {
                items.push(Item::Many(Set::Any));
            }
            items.shrink_to_fit();
            ways.push(Way::new(items));
            if !has_more {
                return Ok(Self { ways, classes: parser.classes });
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    items: Vec<Item>,
    classes: Vec<Class>,
}

/// A class of characters of Go's own.
type Ranges = &'static [(char, char)];

/// What an escape stands for.
enum Escape {
    Char(char),
    /// `\d` and the like.
    Ranges(Ranges, bool),
}

const DIGITS: Ranges = &[('0', '9')];
const SPACES: Ranges = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORDS: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

impl Parser<'_> {
    /// Up to the next `|` or the end; says which.
    fn way(&mut self, is_first: bool) -> Result<bool, String> {
        if !is_first {
            self.items.push(Item::Many(Set::Any));
        }
        // What `{n}` repeats: nothing at the start of a way, and no repetition.
        let mut atom = if is_first { Some(Item::Begin) } else { None };
        while !self.rest.is_empty() {
            if let Some(rest) = self.rest.strip_prefix(DIRS) {
                self.rest = rest;
                self.items.extend([Item::Dirs, Item::Inside]);
                atom = None;
                continue;
            }
            if let Some((least, most)) = self.times()? {
                let repeated = atom.take().ok_or("a `{…}` has nothing to repeat")?;
                self.repeat(repeated, least, most)?;
                continue;
            }
            let one = match self.take() {
                Some('|') => return Ok(true),
                Some('^') => Item::Begin,
                Some('.') => Item::One(Set::Dot),
                Some('[') => Item::One(self.class()?),
                Some('\\') => self.escaped()?,
                Some(char) => Item::One(Set::Char(char)),
                None => break,
            };
            // A star comes from a translation only, behind a class or a dot.
            let is_many = self.rest.starts_with('*');
            if is_many {
                self.take();
            }
            atom = (!is_many).then_some(one);
            self.items.push(match one {
                Item::One(set) if is_many => Item::Many(set),
                one => one,
            });
        }
        Ok(false)
    }

    fn escaped(&mut self) -> Result<Item, String> {
        if self.rest.starts_with(['A', 'z']) {
            return Ok(if self.take() == Some('A') { Item::Begin } else { Item::End });
        }
        Ok(Item::One(match self.escape()? {
            Escape::Char(char) => Set::Char(char),
            Escape::Ranges(ranges, is_negated) => self.add_class(Class { is_negated, ranges: ranges.to_vec() })?,
        }))
    }

    /// `{2}`, `{2,}` or `{2,5}`; anything else is as it stands.
    fn times(&mut self) -> Result<Option<(usize, Option<usize>)>, String> {
        let Some((inner, rest)) = self.rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            return Ok(None);
        };
        let (least, most) = inner.split_once(',').map_or((inner, None), |(least, most)| (least, Some(most)));
        let is_number = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
        };
        if !is_number(least) || !most.is_none_or(|most| most.is_empty() || is_number(most)) {
            return Ok(None);
        }
        self.rest = rest;
        let number = |text: &str| text.parse().ok().filter(|n| *n <= MOST_TIMES).ok_or("a `{…}` repeats too often");
        let least = number(least)?;
        let most = match most {
            None => Some(least),
            Some("") => None,
            Some(most) => Some(number(most)?),
        };
        if most.is_some_and(|most| most < least) {
            return Err("a `{…}` is upside down".to_owned());
        }
        Ok(Some((least, most)))
    }

    /// The last item so many times.
    fn repeat(&mut self, item: Item, least: usize, most: Option<usize>) -> Result<(), String> {
        let Item::One(set) = item else { return Ok(()) };
        if self.items.len() + most.unwrap_or(least + 1) > MOST_ITEMS {
            return Err("it is too large".to_owned());
        }
        self.items.pop();
        self.items.extend(std::iter::repeat_n(item, least));
        match most {
            Some(most) => self.items.extend(std::iter::repeat_n(Item::Maybe(set), most - least)),
            None => self.items.push(Item::Many(set)),
        }
        Ok(())
    }

    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let char = chars.next();
        self.rest = chars.as_str();
        char
    }

    fn add_class(&mut self, class: Class) -> Result<Set, String> {
        let index = u32::try_from(self.classes.len()).map_err(|_too_many| "it has too many `[]`".to_owned())?;
        let Class { is_negated, mut ranges } = class;
        if is_negated && ranges == [('/', '/')] {
            return Ok(Set::NotSlash);
        }
        ranges.sort_unstable();
        let mut merged: Vec<(char, char)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut().filter(|last| low <= last.1) {
                Some(last) => last.1 = last.1.max(high),
                None => merged.push((low, high)),
            }
        }
        merged.shrink_to_fit();
        self.classes.push(Class { is_negated, ranges: merged });
        Ok(Set::Class(index))
    }

    /// After `[`.
    fn class(&mut self) -> Result<Set, String> {
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
    fn escape(&mut self) -> Result<Escape, String> {
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
