//! The head of a request that is being read: it has its time, and a long one needs a place.

use super::super::traffic::AHEAD;
use super::framing::Lines;
use crate::auth::places::{Place, Places};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Requests have come whole after so long, the first of a connection and those that follow.
const HEAD: Duration = Duration::from_secs(30);
/// Longer than actix-http keeps a connection on which nothing comes.
const IDLE: Duration = Duration::from_secs(90);
/// Heads that are longer need a place: actix-http takes up to 128 KiB.
pub(super) const LARGE: usize = 16 << 10;
const LARGE_PLACES: usize = 512;

/// Room for large heads.
pub(in crate::http) fn large_heads() -> Arc<Places> {
    Places::new(LARGE_PLACES, LARGE_PLACES / 2)
}

/// The head of a request that is being read.
pub(super) struct Head {
    /// Requests that were begun before.
    before: u64,
    bytes: usize,
    lines: Lines,
    is_whole: bool,
    /// Read since actix-http was left to look at it.
    at_once: usize,
    began: Option<Instant>,
    quiet_since: Instant,
    large: Arc<Places>,
    place: Option<Place>,
    address: Option<IpAddr>,
}

impl Head {
    pub(super) fn new(address: Option<IpAddr>, large: Arc<Places>) -> Self {
        Self {
            before: 0,
            bytes: 0,
            lines: Lines::default(),
            is_whole: false,
            at_once: 0,
            began: None,
            quiet_since: now(),
            large,
            place: None,
            address,
        }
    }

    /// Requests that were begun before.
    pub(super) fn before(&self) -> u64 {
        self.before
    }

    /// How many of the bytes are handed on.
    pub(super) fn come(&mut self, bytes: &[u8]) -> usize {
        let (taken, is_whole) = self.lines.until_end(bytes);
        self.is_whole |= is_whole;
        taken
    }

    /// Whether it is time for actix-http to look at it, which it does before it asks again.
    pub(super) fn is_to_be_looked_at(&mut self) -> bool {
        let is_time = self.is_whole || self.at_once >= AHEAD;
        (self.is_whole, self.at_once) = (self.is_whole && !is_time, if is_time { 0 } else { self.at_once });
        is_time
    }

    pub(super) fn begun(&mut self, requests: u64) {
        (self.before, self.bytes, self.at_once, self.is_whole) = (requests, 0, 0, false);
        (self.began, self.place, self.quiet_since) = (None, None, now());
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now - began > HEAD) || now - self.quiet_since > IDLE
    }

    pub(super) fn came(&mut self, bytes: usize) -> io::Result<()> {
        self.at_once += bytes;
        self.bytes += bytes;
        if bytes > 0 {
            self.began.get_or_insert_with(now);
        }
        if self.bytes > LARGE && self.place.is_none() {
            let place = self.large.take(self.address, 1);
            self.place = Some(place.map_err(|_full| io::Error::other("too many large requests at once"))?);
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a wait of this moment")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_head_has_its_place_until_its_request_begins() {
        let places = Places::new(1, 1);
        let mut head = Head::new(None, places.clone());
        head.came(LARGE + 1).unwrap();
        assert_eq!(places.taken(), 1);
        head.begun(1);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn a_head_has_so_much_time_from_its_first_byte() {
        let mut head = Head::new(None, large_heads());
        let is_late = |head: &Head, secs| head.is_late(now() + Duration::from_secs(secs));
        assert_eq!((is_late(&head, 80), is_late(&head, 100)), (false, true));
        head.came(1).unwrap();
        assert_eq!((is_late(&head, 20), is_late(&head, 40)), (false, true));
        head.begun(1);
        assert!(!is_late(&head, 40));
    }
}
