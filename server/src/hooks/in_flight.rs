//! Bodies of deliveries that are being read: bounded in number and in bytes, all together and for each address.
//!
//! Bytes count as they arrive, so a sender that promises much and sends little holds little.

use crate::auth::address::counted;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// Bytes of all bodies; a body of GitHub's largest size fits beside another one.
const BYTES: usize = 64 << 20;
/// Bodies at once. Each also costs its connection's buffers, about 100 KiB.
const BODIES: usize = 256;
/// One address gets half, so that the other half is left for the forge.
const SHARE: usize = 2;
/// Bodies are read or given up in ten seconds.
const RETRY_AFTER_SECS: u64 = 10;

/// What is held, together and by address.
#[derive(Default)]
pub struct InFlight(Mutex<Held>);

#[derive(Default)]
struct Held {
    all: Load,
    by_address: HashMap<IpAddr, Load>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    bodies: usize,
    bytes: usize,
}

impl Load {
    fn with(self, more: Self) -> Self {
        Self { bodies: self.bodies + more.bodies, bytes: self.bytes + more.bytes }
    }

    fn without(self, less: Self) -> Self {
        Self { bodies: self.bodies - less.bodies, bytes: self.bytes - less.bytes }
    }

    fn fits(self, parts: usize) -> bool {
        self.bodies <= BODIES / parts && self.bytes <= BYTES / parts
    }
}

/// The place of one body; given back when it is dropped.
pub(super) struct Place {
    of: Arc<InFlight>,
    address: IpAddr,
    load: Load,
}

impl InFlight {
    /// A place for one more body, or 429.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place> {
        let mut place = Place { of: self.clone(), address: counted(address), load: Load::default() };
        place.add(Load { bodies: 1, bytes: 0 })?;
        Ok(place)
    }

    #[cfg(test)]
    fn held(&self) -> (Load, usize) {
        let held = self.0.lock().expect("no holder panics");
        (held.all, held.by_address.len())
    }
}

impl Place {
    /// Room for so many more bytes, or 429.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<()> {
        self.add(Load { bodies: 0, bytes })
    }

    fn add(&mut self, more: Load) -> Result<()> {
        let mut held = self.of.0.lock().expect("no holder panics");
        let all = held.all.with(more);
        let own = held.by_address.get(&self.address).copied().unwrap_or_default().with(more);
        if !all.fits(1) || !own.fits(SHARE) {
            return Err(Error::TooManyRequests { retry_after_secs: RETRY_AFTER_SECS });
        }
        held.all = all;
        held.by_address.insert(self.address, own);
        self.load = self.load.with(more);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.of.0.lock().expect("no holder panics");
        held.all = held.all.without(self.load);
        let own = held.by_address.get(&self.address).copied().unwrap_or_default();
        // A place that was never entered holds nothing.
        let left = own.without(self.load);
        if left == Load::default() {
            held.by_address.remove(&self.address);
        } else {
            held.by_address.insert(self.address, left);
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
    fn one_address_leaves_room_for_another() {
        let all = Arc::new(InFlight::default());
        let mut large = all.enter(address(1)).unwrap();
        large.grow(BYTES / 2).unwrap();
        assert!(large.grow(1).is_err());
        let mut other = all.enter(address(2)).unwrap();
        other.grow(BYTES / 2).unwrap();
        assert!(all.enter(address(3)).unwrap().grow(1).is_err(), "all is taken");
        drop(large);
        all.enter(address(3)).unwrap().grow(1).unwrap();
    }

    #[test]
    fn what_ends_is_given_back() {
        let all = Arc::new(InFlight::default());
        let places: Vec<_> = (0..BODIES / 2).map(|_| all.enter(address(1)).unwrap()).collect();
        assert!(all.enter(address(1)).is_err());
        drop(all.enter(address(2)).unwrap());
        drop(places);
        assert_eq!(all.held(), (Load::default(), 0));
    }

    #[test]
    fn one_network_of_ipv6_has_one_share() {
        let all = Arc::new(InFlight::default());
        let address = |host: u128| IpAddr::from(((0x2001_0db8_u128 << 96) | host).to_be_bytes());
        let entered: Vec<_> = (0..200).filter_map(|host| all.enter(address(host)).ok()).collect();
        assert_eq!(entered.len(), BODIES / 2);
    }
}
