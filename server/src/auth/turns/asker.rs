//! Who asks, as turns count.

use super::super::address::SITE;
use crate::policy::{Principal, Who};
use std::net::IpAddr;

/// Networks from the widest on, by how many bits of an IPv6 address they share: a provider's, a site's (what one customer
/// gets at most), a customer's and one of a customer's own. The last bits of these are IPv4 addresses.
const OF_IPV6: &[u32] = &[32, SITE, 56, 64];
/// A provider's /16, a /24 and one address, behind the 96 bits of `::ffff:0:0`.
const OF_IPV4: &[u32] = &[96 + 16, 96 + 24, 128];

/// A place among those who ask: a person or a repository whose build runs, or a stranger, in the networks of an address.
///
/// People are told apart by their account, so that whoever goes on from a thousand addresses leaves something to everybody
/// else; what an account costs at the forge is more than an address does. Their addresses have shares of their own, so that
/// a script that reads pages with somebody's session leaves that person a page in the browser.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The keys of the parts of the line that lead to it.
    pub(super) path: Vec<u128>,
    /// The part that leaves a turn to others, by its depth in the path: an account, or all strangers together.
    pub(super) leaves_one: usize,
    /// The part that has one share: an address, or a site of IPv6.
    pub(super) shares: usize,
}

const STRANGERS: u128 = 0;
const KNOWN: u128 = 1;

impl Asker {
    pub fn of(principal: &Principal, address: IpAddr) -> Self {
        match &principal.who {
            Who::User { id, .. } | Who::Build { repository_id: id, .. } => Self::at(vec![KNOWN, id.as_u128()], address),
            Who::Anonymous | Who::System => Self::stranger(address),
        }
    }

    /// Somebody of whom nothing but the address is known.
    pub fn stranger(address: IpAddr) -> Self {
        Self::at(vec![STRANGERS], address)
    }

    fn at(mut path: Vec<u128>, address: IpAddr) -> Self {
        let (bits, lengths, share) = match address.to_canonical() {
            IpAddr::V6(ip) => (ip.to_bits(), OF_IPV6, SITE),
            IpAddr::V4(ip) => (ip.to_ipv6_mapped().to_bits(), OF_IPV4, 128),
        };
        let leaves_one = path.len() - 1;
        path.extend(lengths.iter().map(|length| bits & (u128::MAX << (128 - length))));
        let share = lengths.iter().position(|length| *length == share).expect("one of them has the share");
        Self { path, leaves_one, shares: leaves_one + 1 + share }
    }

    pub(super) fn is_known(&self) -> bool {
        self.path[0] == KNOWN
    }
}
