//! Where a request came from. `X-Forwarded-For` is believed as far as it was written by proxies that the operator listed.

use crate::app::App;
use actix_web::HttpRequest;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address of whoever sent the request.
pub fn client_address(app: &App, request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip());
    let lines = request.headers().get_all("x-forwarded-for").map(|line| line.to_str().unwrap_or("not text"));
    let trusted = |ip: IpAddr| app.config.trusted_proxies.iter().any(|net| net.contains(&ip));
    believed(peer, lines, trusted)
}

/// Each proxy adds whom it talked to at the end of the last line, or as a line of its own. So from the right: the first
/// address that is no proxy of ours. What stands left of it, or of something that is no address, anybody can have sent.
fn believed<'a>(peer: IpAddr, lines: impl Iterator<Item = &'a str>, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let lines: Vec<_> = lines.collect();
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    // On a socket for both families an IPv4 peer is `::ffff:10.0.0.1`.
    let mut known = peer.to_canonical();
    for entry in entries {
        if !trusted(known) {
            break;
        }
        match parse(entry.trim()) {
            Some(ip) => known = ip.to_canonical(),
            None => break,
        }
    }
    known
}

/// Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Bits of an IPv6 address that all of a site share. Providers give their customers a /64, a /56 or a /48 (RFC 6177), so
/// that one person has up to 65,536 networks of 2^64 addresses.
pub const SITE: u32 = 48;

/// Whom limits count: of an IPv6 address the site.
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - SITE)))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, lines: &[&str]) -> String {
        let proxies: ipnet::IpNet = "10.0.0.0/8".parse().unwrap();
        believed(peer.parse().unwrap(), lines.iter().copied(), |ip| proxies.contains(&ip)).to_string()
    }

    #[test]
    fn a_forwarded_address_is_believed_as_far_as_listed_proxies_wrote_it() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            // HAProxy adds a line; the client's own stands before it.
            ("10.0.0.1", &["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            // A client cannot make us look past what is no address.
            ("10.0.0.1", &["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1, , 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["192.0.2.1", ""], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2"], "10.0.0.2"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["192.0.2.1, 203.0.113.9:4711, 10.0.0.2:80"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.9:", "203.0.113.9:99999"], "10.0.0.1"),
        ] {
            assert_eq!(of(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn whoever_is_not_listed_is_not_believed() {
        for lines in [&["192.0.2.1"][..], &["10.0.0.1"], &["192.0.2.1", "10.0.0.1"]] {
            assert_eq!(of("203.0.113.9", lines), "203.0.113.9");
        }
    }

    #[test]
    fn limits_count_a_site_of_ipv6_as_one() {
        let of = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
        assert_eq!((of("203.0.113.9"), of("::ffff:203.0.113.9")), ("203.0.113.9".into(), "203.0.113.9".into()));
    }
}
