//! Ways out of a daemon's network namespace to this machine's loopback, for what a build needs and nothing else:
//! Slipway's own registry, mirrors and proxies that the operator named, and the name server.
//!
//! A socket belongs to the namespace it was made in, so listeners are made inside and served from outside.

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const DNS_PORT: u16 = 53;
const DNS_PATIENCE: Duration = Duration::from_secs(10);
/// Questions under way at once; more are dropped, and asked again by who asked.
const MOST_QUESTIONS: usize = 256;
/// Connections at once for each listener; more wait.
const MOST_CONNECTIONS: usize = 256;

/// Ends when dropped.
pub(super) struct Relay(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>);

impl Relay {
    /// Relays `hosts` (`host:port`), as far as they are loopback addresses, and this machine's name server;
    /// that one also at `address`, where RUN steps reach it.
    pub(super) async fn start(namespace: &File, hosts: &[String], address: Ipv4Addr) -> Result<Self> {
        let mut streams = BTreeSet::new();
        for host in hosts {
            match tokio::net::lookup_host(host).await {
                Ok(found) => streams.extend(found.filter(|found| found.ip().is_loopback()).map(|to| (to, to))),
                Err(error) => tracing::debug!("look up {host}: {error}"),
            }
        }
        let mut questions = BTreeSet::new();
        if let Some(server) = local_name_server() {
            for listen in [server, SocketAddr::from((address, DNS_PORT))] {
                streams.insert((listen, server));
                questions.insert((listen, server));
            }
        }
        let namespace = namespace.try_clone()?;
        let made = tokio::task::spawn_blocking(move || listen(&namespace, streams, questions));
        let (streams, questions) = made.await??;
        let mut tasks = JoinSet::new();
        for (listener, to) in streams {
            tasks.spawn(pass_streams(tokio::net::TcpListener::from_std(listener)?, to));
        }
        for (socket, to) in questions {
            tasks.spawn(pass_questions(Arc::new(tokio::net::UdpSocket::from_std(socket)?), to));
        }
        Ok(Self(tasks))
    }
}

/// The name server for RUN steps where the machine's own is on its loopback, out of their reach.
pub(super) fn name_server(address: Ipv4Addr) -> Option<Ipv4Addr> {
    local_name_server().map(|_loopback| address)
}

/// The first name server of `/etc/resolv.conf`, if it is on loopback.
fn local_name_server() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    first_name_server(&text).filter(IpAddr::is_loopback).map(|ip| SocketAddr::from((ip, DNS_PORT)))
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

/// `None` where this kind of address does not exist inside, as `::1` on a machine without IPv6.
fn bound<T>(at: SocketAddr, made: std::io::Result<T>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Ok(None),
        Err(error) => Err(error).with_context(|| format!("listen on {at} for a daemon")),
    }
}

async fn pass_streams(listener: tokio::net::TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        let Ok((mut inner, _)) = listener.accept().await else {
            // Out of descriptors, for a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        connections.spawn(async move {
            // Dropping what nobody answers is what a closed port would do.
            if let Ok(mut outer) = tokio::net::TcpStream::connect(to).await {
                let _ = (inner.set_nodelay(true), outer.set_nodelay(true));
                let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
            }
        });
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
    let from = if to.is_ipv4() { SocketAddr::from(([127, 0, 0, 1], 0)) } else { SocketAddr::from(([0; 16], 0)) };
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
    fn the_first_name_server_is_the_one_that_counts() {
        let first = |text| first_name_server(text).map(|ip| ip.to_string());
        assert_eq!(first("search lan\nnameserver 127.0.0.53\nnameserver 10.0.0.1\n").as_deref(), Some("127.0.0.53"));
        assert_eq!(first("# nameserver 1.2.3.4\n  nameserver ::1").as_deref(), Some("::1"));
        assert_eq!(first("options edns0\nnameserver\n"), None);
    }
}
