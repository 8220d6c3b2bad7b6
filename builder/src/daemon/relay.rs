//! Ways out of a daemon's network namespace to this machine's loopback, for what a build needs and nothing else:
//! Slipway's own registry, mirrors and proxies that the operator named, and a name server that is out of reach.
//!
//! A socket belongs to the namespace it was made in, so listeners are made inside and served from outside.

mod streams;

use super::metadata;
use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;
const DNS_PATIENCE: Duration = Duration::from_secs(10);
/// Questions under way at once; more are dropped, and asked again by who asked.
const MOST_QUESTIONS: usize = 256;
/// Ends when dropped.
pub(super) struct Relay(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>);

impl Relay {
    /// Relays `hosts` (`host:port`), as far as they are loopback addresses, and at `address` the name server.
    pub(super) async fn start(namespace: &File, hosts: &[String], address: Ipv4Addr) -> Result<Self> {
        let mut streams = BTreeSet::new();
        for host in hosts {
            match tokio::net::lookup_host(host).await {
                Ok(found) => streams.extend(found.filter(|found| found.ip().is_loopback()).map(|to| (to, to))),
                Err(error) => tracing::debug!("look up {host}: {error}"),
            }
        }
        let mut questions = BTreeSet::new();
        if let Some(server) = name_server_out_of_reach() {
            let way = (SocketAddr::from((address, DNS_PORT)), server);
            streams.insert(way);
            questions.insert(way);
        }
        let namespace = namespace.try_clone()?;
        let made = tokio::task::spawn_blocking(move || listen(&namespace, streams, questions));
        let (streams, questions) = made.await??;
        let mut tasks = JoinSet::new();
        for (listener, to) in streams {
            let limits = if to.port() == DNS_PORT { streams::DNS_LIMITS } else { streams::LIMITS };
            tasks.spawn(streams::pass(tokio::net::TcpListener::from_std(listener)?, to, limits));
        }
        for (socket, to) in questions {
            tasks.spawn(pass_questions(Arc::new(tokio::net::UdpSocket::from_std(socket)?), to));
        }
        Ok(Self(tasks))
    }
}

/// `resolv.conf` for a daemon and its RUN steps where the machine's own name server is out of their reach: the same,
/// with the relay at `address` as name server.
pub(super) fn resolv_conf(address: Ipv4Addr) -> Option<String> {
    name_server_out_of_reach()?;
    let text = std::fs::read_to_string(RESOLV_CONF).ok()?;
    let others = text.lines().filter(|line| !line.trim_start().starts_with("nameserver"));
    let lines: Vec<String> = others.map(str::to_owned).chain([format!("nameserver {address}\n")]).collect();
    Some(lines.join("\n"))
}

/// The first name server, if a daemon's IPv4 way out does not lead there: loopback (systemd-resolved, Docker),
/// addresses that builds are kept from and that some clouds have their name server on, IPv6.
fn name_server_out_of_reach() -> Option<SocketAddr> {
    let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    first_name_server(&text).filter(is_out_of_reach).map(|ip| SocketAddr::from((ip, DNS_PORT)))
}

fn is_out_of_reach(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || metadata::is_closed(*ip),
        IpAddr::V6(_) => true,
    }
}

fn first_name_server(text: &str) -> Option<IpAddr> {
    let mut words = text.lines().map(str::split_ascii_whitespace);
    words.find_map(|mut words| if words.next()? == "nameserver" { words.next()?.parse().ok() } else { None })
}

type Pairs = BTreeSet<(SocketAddr, SocketAddr)>;
type Made = (Vec<(TcpListener, SocketAddr)>, Vec<(UdpSocket, SocketAddr)>);

/// Makes the sockets inside, on a thread that ends there: a thread that has been moved is of no other use.
fn listen(namespace: &File, streams: Pairs, questions: Pairs) -> Result<Made> {
    let inside = || -> Result<Made> {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).context("enter the network")?;
        let mut made = Made::default();
        for (at, to) in streams {
            if let Some(listener) = bound(at, TcpListener::bind(at))? {
                listener.set_nonblocking(true)?;
                made.0.push((listener, to));
            }
        }
        for (at, to) in questions {
            if let Some(socket) = bound(at, UdpSocket::bind(at))? {
                socket.set_nonblocking(true)?;
                made.1.push((socket, to));
            }
        }
        Ok(made)
    };
    let made = std::thread::scope(|scope| scope.spawn(inside).join());
    made.unwrap_or_else(|_panicked| anyhow::bail!("the thread that listens for a daemon panicked"))
}

/// `None` where this kind of address does not exist inside: `::1` is there or not, whatever `/etc/hosts` says.
fn bound<T>(at: SocketAddr, made: std::io::Result<T>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(error) if at.is_ipv6() => {
            tracing::debug!("listen on {at} for a daemon: {error}");
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("listen on {at} for a daemon")),
    }
}

async fn pass_questions(socket: Arc<tokio::net::UdpSocket>, to: SocketAddr) {
    let slots = Arc::new(Semaphore::new(MOST_QUESTIONS));
    let mut asking = JoinSet::new();
    let mut question = [0; 4096];
    loop {
        while asking.try_join_next().is_some() {}
        let Ok((size, who)) = socket.recv_from(&mut question).await else {
            continue;
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            continue;
        };
        let (question, socket) = (question[..size].to_vec(), socket.clone());
        asking.spawn(async move {
            let _slot = slot;
            if let Ok(Ok(answer)) = tokio::time::timeout(DNS_PATIENCE, ask(&question, to)).await {
                let _ = socket.send_to(&answer, who).await;
            }
        });
    }
}

async fn ask(question: &[u8], to: SocketAddr) -> std::io::Result<Vec<u8>> {
    let from = if to.is_ipv4() { SocketAddr::from(([0; 4], 0)) } else { SocketAddr::from(([0; 16], 0)) };
    let socket = tokio::net::UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    socket.send(question).await?;
    let mut answer = vec![0; 65_535];
    let size = socket.recv(&mut answer).await?;
    answer.truncate(size);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_that_a_daemon_does_not_reach_by_itself_are_relayed() {
        for ip in ["127.0.0.53", "127.0.0.11", "169.254.169.254", "168.63.129.16", "::1", "2001:db8::1"] {
            assert!(is_out_of_reach(&ip.parse().unwrap()), "{ip}");
        }
        for ip in ["10.0.0.2", "192.168.1.1", "8.8.8.8"] {
            assert!(!is_out_of_reach(&ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_question_is_passed_on_and_its_answer_back() {
        let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = server.local_addr().unwrap();
        tokio::spawn(async move {
            let mut question = [0; 512];
            let (size, who) = server.recv_from(&mut question).await.unwrap();
            server.send_to(&[&question[..size], b"!"].concat(), who).await.unwrap();
        });
        let relay = Arc::new(tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let at = relay.local_addr().unwrap();
        let passing = tokio::spawn(pass_questions(relay, to));
        assert_eq!(ask(b"who?", at).await.unwrap(), b"who?!");
        passing.abort();
    }

    #[test]
    fn the_first_name_server_is_the_one_that_counts() {
        let first = |text| first_name_server(text).map(|ip| ip.to_string());
        assert_eq!(first("search lan\nnameserver 127.0.0.53\nnameserver 10.0.0.1\n").as_deref(), Some("127.0.0.53"));
        assert_eq!(first("# nameserver 1.2.3.4\n  nameserver ::1").as_deref(), Some("::1"));
        assert_eq!(first("options edns0\nnameserver\n"), None);
    }
}
