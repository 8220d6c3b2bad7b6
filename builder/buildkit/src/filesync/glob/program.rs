//! An expression as a list of items, and the walk of a path through it.
//!
//! All places in the list that the path may have reached are kept as a set of bits. So a character costs one look at
//! each of them, whatever the pattern: there is nothing to try again.

mod parse;

use super::super::effort::Effort;
use super::super::failure::Failure;

/// Ways to match, parted by `|`.
#[derive(Debug)]
pub(in super::super) struct Program {
    ways: Vec<Way>,
    classes: Vec<Class>,
}

#[derive(Debug)]
struct Way {
    items: Vec<Item>,
    /// What every match begins with.
    literal: String,
    /// How many items that stands for.
    literal_items: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    One(Set),
    /// Any number of them.
    Many(Set),
    /// One or none.
    Maybe(Set),
    /// `(.*/)?`: past `Inside`, or into it.
    Dirs,
    /// `.*/`, where only a slash leads on.
    Inside,
    /// Only before the first character.
    Begin,
    /// Only after the last one.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Char(char),
    /// All but the end of a line.
    Dot,
    NotSlash,
    Any,
    /// One of `classes`.
    Class(u32),
}

/// `[a-z]`, `[^0-9]`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Class {
    is_negated: bool,
    /// In order, apart from each other.
    ranges: Vec<(char, char)>,
}

impl Class {
    fn holds(&self, char: char) -> bool {
        let next = self.ranges.partition_point(|(low, _)| *low <= char);
        let is_in = next.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, high)| char <= *high);
        is_in != self.is_negated
    }
}

impl Way {
    fn new(items: Vec<Item>) -> Self {
        let plain = |item: &Item| match item {
            Item::One(Set::Char(char)) => Some(*char),
            _ => None,
        };
        let literal: String = items.iter().map_while(plain).collect();
        let literal_items = literal.chars().count();
        Self { items, literal, literal_items }
    }
}

impl Program {
    /// With 32 bytes for each block of memory, which is what small ones take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let way = |way: &Way| size_of::<Way>() + 64 + way.items.capacity() * size_of::<Item>() + way.literal.capacity();
        let class = |class: &Class| size_of::<Class>() + 32 + class.ranges.capacity() * size_of::<(char, char)>();
        self.ways.iter().map(way).sum::<usize>() + self.classes.iter().map(class).sum::<usize>()
    }

    pub(super) fn is_match(&self, path: &str, effort: &mut Effort<'_>) -> Result<bool, Failure> {
        for way in &self.ways {
            let Some(rest) = path.strip_prefix(&way.literal) else { continue };
            let [mut now, mut next] = std::mem::take(&mut effort.places);
            let walk = Walk { items: &way.items, classes: &self.classes };
            let matched = walk.walk(way.literal_items, rest, rest.len() == path.len(), [&mut now, &mut next], effort);
            effort.places = [now, next];
            if matched? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A path on its way through the items.
#[derive(Clone, Copy)]
struct Walk<'a> {
    items: &'a [Item],
    classes: &'a [Class],
}

impl Walk<'_> {
    /// From `place` on over `rest`, which is the whole path or not.
    fn walk(
        self,
        place: usize,
        rest: &str,
        is_whole: bool,
        [now, next]: [&mut Vec<u64>; 2],
        effort: &mut Effort<'_>,
    ) -> Result<bool, Failure> {
        let words = self.items.len() / 64 + 1;
        for places in [&mut *now, &mut *next] {
            places.clear();
            places.resize(words, 0);
        }
        self.reach(place, now, is_whole, rest.is_empty());
        for (at, char) in rest.char_indices() {
            let is_last = at + char.len_utf8() == rest.len();
            let mut steps = words as u64;
            for (word, bits) in now.iter().enumerate() {
                let mut bits = *bits;
                steps += u64::from(bits.count_ones());
                while bits != 0 {
                    let place = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    self.step(place, char, next, is_last);
                }
            }
            effort.spend(steps)?;
            std::mem::swap(now, next);
            next.fill(0);
            if now.iter().all(|bits| *bits == 0) {
                return Ok(false);
            }
        }
        Ok(is_in(now, self.items.len()))
    }

    /// From a place over one character.
    fn step(self, place: usize, char: char, next: &mut [u64], is_last: bool) {
        match self.items.get(place) {
            Some(Item::One(set)) if self.holds(*set, char) => self.reach(place + 1, next, false, is_last),
            Some(Item::Maybe(set)) if self.holds(*set, char) => self.reach(place + 1, next, false, is_last),
            Some(Item::Many(set)) if self.holds(*set, char) => self.reach(place, next, false, is_last),
            Some(Item::Inside) if char != '\n' => {
                put(next, place);
                if char == '/' {
                    self.reach(place + 1, next, false, is_last);
                }
            }
            _ => {}
        }
    }

    /// Comes to a place, and to those behind it that need no character. Each place is looked at once for a set.
    fn reach(self, mut place: usize, places: &mut [u64], is_first: bool, is_last: bool) {
        while !is_in(places, place) {
            put(places, place);
            match self.items.get(place) {
                Some(Item::Many(_) | Item::Maybe(_)) => place += 1,
                Some(Item::Dirs) => {
                    put(places, place + 1);
                    place += 2;
                }
                Some(Item::Begin) if is_first => place += 1,
                Some(Item::End) if is_last => place += 1,
                _ => return,
            }
        }
    }

    fn holds(self, set: Set, char: char) -> bool {
        match set {
            Set::Char(own) => own == char,
            Set::Dot => char != '\n',
            Set::NotSlash => char != '/',
            Set::Any => true,
            Set::Class(index) => self.classes.get(index as usize).is_some_and(|class| class.holds(char)),
        }
    }
}

fn put(places: &mut [u64], place: usize) {
    places[place / 64] |= 1 << (place % 64);
}

fn is_in(places: &[u64], place: usize) -> bool {
    places[place / 64] >> (place % 64) & 1 == 1
}
