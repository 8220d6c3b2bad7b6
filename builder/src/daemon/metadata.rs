//! Where clouds tell a machine about itself, its credentials included: closed to builds.
//!
//! The networks of builds are IPv4, so `fd00:ec2::254` and its like have no way from there (`network.rs` makes none where IPv6 stays on).

use std::net::Ipv4Addr;

/// Address and length of the network. Link-local is where most are; the others are those of Azure, Alibaba and Oracle.
pub(super) const NETWORKS: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(192, 0, 0, 192), 32),
];

/// Whether builds are kept from it.
pub(super) fn is_closed(ip: Ipv4Addr) -> bool {
    let bits = |ip: Ipv4Addr| u32::from_be_bytes(ip.octets());
    NETWORKS.iter().any(|(network, length)| (bits(ip) ^ bits(*network)).leading_zeros() >= *length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_addresses_of_clouds_are_closed_and_their_neighbours_are_not() {
        for ip in ["169.254.169.254", "169.254.0.23", "168.63.129.16", "100.100.100.200", "192.0.0.192"] {
            assert!(is_closed(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["169.253.1.1", "168.63.129.17", "100.100.2.136", "192.0.0.193", "10.0.0.1"] {
            assert!(!is_closed(ip.parse().unwrap()), "{ip}");
        }
    }
}
