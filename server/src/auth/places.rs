//! Places for what is held at once: bounded together, and for each address, so that one leaves room for others.

use super::address::counted;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// What takes a place is gone again soon, or is given up: a write without progress after 30 seconds.
const RETRY_AFTER_SECS: u64 = 10;

/// How many there are, and how many of them one address may have.
pub struct Places {
    all: usize,
    each: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Some places; given back when it is dropped.
pub struct Place {
    of: Arc<Places>,
    address: Option<IpAddr>,
    size: usize,
}

impl Places {
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, held: Mutex::default() })
    }

    /// Takes `size` places, or says 503 when all are taken, and 429 when the address has its share. Without an address
    /// only the whole counts: a proxy's connections are of many people.
    pub fn take(self: &Arc<Self>, address: Option<IpAddr>, size: usize) -> Result<Place> {
        let mut place = self.none_yet(address);
        place.grow(size)?;
        Ok(place)
    }

    /// Takes none for now: for what grows.
    pub fn none_yet(self: &Arc<Self>, address: Option<IpAddr>) -> Place {
        Place { of: self.clone(), address: address.map(counted), size: 0 }
    }

    /// How many are taken.
    #[cfg(test)]
    pub fn taken(&self) -> usize {
        self.held.lock().expect("no holder panics").all
    }
}

impl Place {
    /// Takes so many more; those that it has stay its own when there are not enough.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        let mut held = self.of.held.lock().expect("no holder panics");
        let all = held.all.saturating_add(more);
        let own = self.address.map(|address| held.by_address.get(&address).copied().unwrap_or(0).saturating_add(more));
        if own.is_some_and(|own| own > self.of.each) {
            return Err(Error::TooManyRequests { retry_after_secs: RETRY_AFTER_SECS });
        }
        if all > self.of.all {
            return Err(Error::Busy { retry_after_secs: RETRY_AFTER_SECS });
        }
        held.all = all;
        if let (Some(address), Some(own)) = (self.address, own) {
            held.by_address.insert(address, own);
        }
        self.size += more;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().expect("no holder panics");
        held.all -= self.size;
        let Some(address) = self.address else { return };
        let left = held.by_address.get(&address).copied().unwrap_or(0).saturating_sub(self.size);
        if left == 0 {
            held.by_address.remove(&address);
        } else {
            held.by_address.insert(address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn one_address_leaves_room_for_another_and_all_have_an_end() {
        let places = Places::new(5, 3);
        let first: Vec<_> = (0..3).map(|_| places.take(Some(address(1)), 1).unwrap()).collect();
        assert!(matches!(places.take(Some(address(1)), 1), Err(Error::TooManyRequests { .. })));
        let second = places.take(Some(address(2)), 2).unwrap();
        assert!(matches!(places.take(Some(address(3)), 1), Err(Error::Busy { .. })));
        drop(second);
        drop(places.take(Some(address(3)), 2).unwrap());
        drop(first);
        assert_eq!((places.taken(), places.held.lock().unwrap().by_address.len()), (0, 0));
    }

    #[test]
    fn what_grows_keeps_what_it_has_when_there_is_no_more() {
        let places = Places::new(5, 3);
        let mut place = places.none_yet(Some(address(1)));
        place.grow(2).unwrap();
        assert!(place.grow(2).is_err());
        assert_eq!(places.taken(), 2);
        place.grow(1).unwrap();
        drop(place);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn what_comes_by_a_proxy_counts_in_the_whole_only() {
        let places = Places::new(4, 1);
        let taken: Vec<_> = (0..4).map(|_| places.take(None, 1).unwrap()).collect();
        assert!(matches!(places.take(None, 1), Err(Error::Busy { .. })));
        drop(taken);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn one_site_of_ipv6_has_one_share() {
        let places = Places::new(10, 2);
        let of = |n: u128| IpAddr::from(((0x2001_0db8_u128 << 96) | (n << 64) | n).to_be_bytes());
        let taken: Vec<_> = (0..5).filter_map(|n| places.take(Some(of(n)), 1).ok()).collect();
        assert_eq!(taken.len(), 2);
    }
}
