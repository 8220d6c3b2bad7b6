//! Reads an expression as Go's `regexp` does, as far as translated patterns need it.
//!
//! What patterns bring in beyond `*`, `?` and `**` are classes and escapes. Escapes that Go reads as something else than
//! a character, a class of characters or an end are refused: nobody means them in a list of files.

mod class;

use self::class::Escape;

use super::super::room::Room;
use super::super::translate::DIRS;
use super::{Class, Item, Program, Set, Way};

/// Of one way; a pattern without `{n}` has two for each character at most.
const MOST_ITEMS: usize = 16 << 10;
/// What Go takes.
const MOST_TIMES: usize = 1_000;
/// What a way and a class cost beside what is in them, in characters.
const WAY: usize = 8;
const CLASS: usize = 4;

impl Program {
    /// Reads an expression that is anchored at both ends.
    pub(in super::super) fn parse(expression: &str, room: &mut Room) -> Result<Self, String> {
        let mut parser = Parser { rest: expression, items: Vec::new(), classes: Vec::new(), room };
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
    room: &'a mut Room,
}

impl Parser<'_> {
    /// Up to the next `|` or the end; says which.
    fn way(&mut self, is_first: bool) -> Result<bool, String> {
        self.room.take(WAY)?;
        if !is_first {
            self.items.push(Item::Many(Set::Any));
        }
        // What `{n}` repeats: nothing at the start of a way, and no repetition.
        let mut atom = if is_first { Some(Item::Begin) } else { None };
        while !self.rest.is_empty() {
            self.room.take(1)?;
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
        let items = most.unwrap_or(least + 1);
        if self.items.len() + items > MOST_ITEMS {
            return Err("it is too large".to_owned());
        }
        self.room.take(items)?;
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
        self.room.take(CLASS + merged.len())?;
        self.classes.push(Class { is_negated, ranges: merged });
        Ok(Set::Class(index))
    }
}
