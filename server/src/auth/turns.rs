//! Turns at what costs the server much: a few at once, fewer for one address, and a line for all others.
//!
//! Addresses come in turn, whoever of them has asked more often: one that asks for hundreds waits for itself. Nobody
//! holds anything of the server while they wait.

use super::address::counted;
use crate::error::{Error, Result};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot::{self, Receiver, Sender};

/// A person who waits for a page longer than this goes away.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_AFTER_SECS: u64 = 10;

/// How many turns there are at once, and how many of them one address may have.
pub struct Turns {
    all: usize,
    each: usize,
    patience: Duration,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    taken: usize,
    /// Those who have a turn, or wait for one.
    addresses: HashMap<IpAddr, Asker>,
    /// Addresses for which somebody waits, the next one first.
    round: VecDeque<IpAddr>,
}

#[derive(Default)]
struct Asker {
    taken: usize,
    /// People look at an empty window; streams show something already.
    people: VecDeque<Sender<Turn>>,
    streams: VecDeque<Sender<Turn>>,
}

/// The right to go on; it ends when it is dropped.
pub struct Turn {
    /// `None` in one that nobody took.
    of: Option<Arc<Turns>>,
    address: IpAddr,
}

impl Turns {
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, patience: PATIENCE, line: Mutex::default() })
    }

    /// Waits for a turn, some seconds at most: then 429 where the address has its share, and 503 where all are taken.
    pub async fn soon(self: &Arc<Self>, address: IpAddr) -> Result<Turn> {
        let mine = self.ask(address, |asker| &mut asker.people);
        if let Ok(Ok(turn)) = tokio::time::timeout(self.patience, mine).await {
            return Ok(turn);
        }
        let line = self.line.lock().expect("no holder panics");
        let has_share = line.addresses.get(&counted(address)).is_some_and(|asker| asker.taken >= self.each);
        if has_share {
            Err(Error::TooManyRequests { retry_after_secs: RETRY_AFTER_SECS })
        } else {
            Err(Error::Busy { retry_after_secs: RETRY_AFTER_SECS })
        }
    }

    /// Waits for a turn as long as it takes, after the people of the same address.
    pub async fn any_time(self: &Arc<Self>, address: IpAddr) -> Turn {
        self.ask(address, |asker| &mut asker.streams).await.expect("a line lives as long as its turns")
    }

    fn ask(
        self: &Arc<Self>,
        address: IpAddr,
        line_of: impl Fn(&mut Asker) -> &mut VecDeque<Sender<Turn>>,
    ) -> Receiver<Turn> {
        let address = counted(address);
        let (sender, receiver) = oneshot::channel();
        let mut line = self.line.lock().expect("no holder panics");
        let asker = line.addresses.entry(address).or_default();
        let waits = asker.waits();
        let own = line_of(asker);
        // Who went away was here before those who came later.
        while own.front().is_some_and(Sender::is_closed) {
            own.pop_front();
        }
        own.push_back(sender);
        if !waits {
            line.round.push_back(address);
        }
        self.give(&mut line);
        receiver
    }

    /// Gives what turns there are to those whose turn it is.
    fn give(self: &Arc<Self>, line: &mut Line) {
        for _ in 0..line.round.len() {
            if line.taken >= self.all {
                return;
            }
            let Some(address) = line.round.pop_front() else { return };
            let Some(asker) = line.addresses.get_mut(&address) else { continue };
            if asker.taken < self.each && asker.next(self, address) {
                asker.taken += 1;
                line.taken += 1;
            }
            if asker.waits() {
                line.round.push_back(address);
            } else if asker.taken == 0 {
                line.addresses.remove(&address);
            }
        }
    }

    #[cfg(test)]
    pub fn bounds(&self) -> (usize, usize) {
        (self.all, self.each)
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        let line = self.line.lock().unwrap();
        line.taken == 0 && line.addresses.is_empty() && line.round.is_empty()
    }
}

impl Asker {
    fn waits(&self) -> bool {
        !self.people.is_empty() || !self.streams.is_empty()
    }

    /// Gives a turn to the first one who is still there.
    fn next(&mut self, of: &Arc<Turns>, address: IpAddr) -> bool {
        while let Some(first) = self.people.pop_front().or_else(|| self.streams.pop_front()) {
            match first.send(Turn { of: Some(of.clone()), address }) {
                Ok(()) => return true,
                Err(mut unwanted) => unwanted.of = None,
            }
        }
        false
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(of) = self.of.take() else { return };
        let mut line = of.line.lock().expect("no holder panics");
        line.taken -= 1;
        if let Some(asker) = line.addresses.get_mut(&self.address) {
            asker.taken -= 1;
            if asker.taken == 0 && !asker.waits() {
                line.addresses.remove(&self.address);
            }
        }
        of.give(&mut line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn address(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[tokio::test]
    async fn an_address_that_asks_for_hundreds_keeps_another_from_nothing() {
        let turns = Turns::new(3, 2);
        let held = [turns.any_time(address(1)).await, turns.any_time(address(1)).await];
        let waiting: Vec<_> = (0..200).map(|_| turns.ask(address(1), |asker| &mut asker.people)).collect();
        let other = turns.soon(address(2)).now_or_never().expect("at once").unwrap();
        let second = turns.ask(address(2), |asker| &mut asker.people);
        drop(held);
        // The two turns that came free: one for each.
        assert!(second.now_or_never().expect("at once").is_ok());
        drop((waiting, other));
        assert!(turns.is_empty());
    }

    #[tokio::test]
    async fn addresses_come_in_turn_and_people_before_streams() {
        let turns = Turns::new(1, 1);
        let held = turns.any_time(address(9)).await;
        let mut stream = turns.ask(address(1), |asker| &mut asker.streams);
        let mut people: Vec<_> = (0..2).map(|_| turns.ask(address(1), |asker| &mut asker.people)).collect();
        let mut other = turns.ask(address(2), |asker| &mut asker.people);
        drop(held);
        let first = people[0].try_recv().unwrap();
        assert!(other.try_recv().is_err());
        drop(first);
        drop(other.try_recv().unwrap());
        assert!(stream.try_recv().is_err());
        drop(people[1].try_recv().unwrap());
        drop(stream.try_recv().unwrap());
        assert!(turns.is_empty());
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_whether_the_share_or_the_whole_is_taken() {
        let turns = Arc::new(Turns { all: 2, each: 1, patience: Duration::from_millis(20), line: Mutex::default() });
        let first = turns.any_time(address(1)).await;
        assert!(matches!(turns.soon(address(1)).await, Err(Error::TooManyRequests { .. })));
        let second = turns.any_time(address(2)).await;
        assert!(matches!(turns.soon(address(3)).await, Err(Error::Busy { .. })));
        drop((first, second));
        assert!(turns.is_empty());
    }

    #[tokio::test]
    async fn who_goes_away_before_the_turn_comes_leaves_it_to_the_next() {
        let turns = Turns::new(1, 1);
        let held = turns.any_time(address(1)).await;
        drop(turns.ask(address(1), |asker| &mut asker.people));
        let mut given = turns.ask(address(2), |asker| &mut asker.people);
        let mut next = turns.ask(address(3), |asker| &mut asker.people);
        drop(held);
        assert!(next.try_recv().is_err());
        given.close();
        drop(given);
        drop(next.try_recv().unwrap());
        assert!(turns.is_empty());
    }
}
