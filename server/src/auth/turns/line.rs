//! Those who wait for a turn, as a tree: the known and strangers, networks, smaller networks in these, and one asker at the
//! end.
//!
//! ```text
//! all ─┬─ known ─────┬─ a person
//!      │             └─ another
//!      └─ strangers ─── 2001:db8::/32 ─── 2001:db8:7::/48 ─── …:100::/56 ─── …:101::/64
//! ```
//! At each fork the parts come in turn, however many wait behind each: whoever has thousands of addresses in one network
//! waits for itself.

use super::asker::Asker;
use super::{Turn, Turns};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot::Sender;

/// How long somebody is ready to wait.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    /// Somebody looks at an empty window.
    Short,
    /// Streams show something already.
    AnyTime,
}

/// A part of the line: those of one network, or one asker.
pub(super) struct Part {
    most: usize,
    taken: usize,
    /// Its parts that have a turn, or wait for one.
    parts: HashMap<u128, Part>,
    /// Those of its parts in which somebody waits, the next one first.
    round: VecDeque<u128>,
    /// Of an asker, those who wait.
    short: VecDeque<Sender<Turn>>,
    any_time: VecDeque<Sender<Turn>>,
}

impl Part {
    /// One that has `most` turns at once.
    pub(super) fn new(most: usize) -> Self {
        let (short, any_time) = (VecDeque::new(), VecDeque::new());
        Self { most, taken: 0, parts: HashMap::new(), round: VecDeque::new(), short, any_time }
    }

    /// Puts somebody at the end of the own line. Of `all` turns an address has `each`, and an account leaves one, as
    /// strangers together do.
    pub(super) fn join(&mut self, asker: &Asker, (all, each): (usize, usize), wait: Wait, sender: Sender<Turn>) {
        let mut part = self;
        let least = if asker.is_known() { each } else { 1 };
        for (depth, key) in asker.path.iter().enumerate() {
            let most = match depth {
                depth if depth == asker.shares => each,
                depth if depth == asker.leaves_one => all.saturating_sub(1).max(least),
                _ => all,
            };
            let next = part.parts.entry(*key).or_insert_with(|| Self::new(most));
            if !next.has_waiting() {
                part.round.push_back(*key);
            }
            part = next;
        }
        let own = match wait {
            Wait::Short => &mut part.short,
            Wait::AnyTime => &mut part.any_time,
        };
        // Who went away was here before those who came later.
        while own.front().is_some_and(Sender::is_closed) {
            own.pop_front();
        }
        own.push_back(sender);
    }

    /// Gives one turn to whose turn it is, if there is one for somebody. `path` leads here from the whole.
    pub(super) fn give(&mut self, of: &Arc<Turns>, path: &mut Vec<u128>) -> bool {
        if self.taken >= self.most {
            return false;
        }
        let mut is_given = self.hand_over(of, path);
        for _ in 0..self.round.len() {
            if is_given {
                break;
            }
            let Some(key) = self.round.pop_front() else { break };
            let Some(part) = self.parts.get_mut(&key) else { continue };
            path.push(key);
            is_given = part.give(of, path);
            path.pop();
            if part.has_waiting() {
                self.round.push_back(key);
            } else if part.is_idle() {
                self.parts.remove(&key);
            }
        }
        self.taken += usize::from(is_given);
        is_given
    }

    /// Gives a turn to the first of the own who is still there.
    fn hand_over(&mut self, of: &Arc<Turns>, path: &[u128]) -> bool {
        while let Some(first) = self.short.pop_front().or_else(|| self.any_time.pop_front()) {
            match first.send(Turn { of: Some(of.clone()), path: path.to_vec() }) {
                Ok(()) => return true,
                Err(mut unwanted) => unwanted.of = None,
            }
        }
        false
    }

    /// Takes a turn back.
    pub(super) fn release(&mut self, path: &[u128]) {
        self.taken -= 1;
        let Some((key, rest)) = path.split_first() else { return };
        let Some(part) = self.parts.get_mut(key) else { return };
        part.release(rest);
        if part.is_idle() {
            self.parts.remove(key);
        }
    }

    /// Whether the asker has its share, or the account all that it may have.
    pub(super) fn has_share(&self, asker: &Asker) -> bool {
        let mut part = self;
        for (depth, key) in asker.path[..=asker.shares].iter().enumerate() {
            let Some(next) = part.parts.get(key) else { return false };
            part = next;
            if depth == asker.leaves_one && asker.is_known() && part.taken >= part.most {
                return true;
            }
        }
        part.taken >= part.most
    }

    fn has_waiting(&self) -> bool {
        !(self.round.is_empty() && self.short.is_empty() && self.any_time.is_empty())
    }

    /// Nobody in it has a turn, or waits for one.
    fn is_idle(&self) -> bool {
        self.taken == 0 && !self.has_waiting()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.is_idle() && self.parts.is_empty()
    }
}
