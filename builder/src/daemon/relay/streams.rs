//! Connections that a relay passes on. They are bounded in number: the one that is idle longest makes room for the next.

use super::DNS_PATIENCE;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What one listener may hold.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// A build leaves a dozen idle ones behind, which the registry keeps for more than a minute.
    connections: usize,
    /// How long one may last.
    patience: Option<Duration>,
}

pub(super) const LIMITS: Limits = Limits { connections: 1_024, patience: None };
/// The name server's is in reach of RUN steps.
pub(super) const DNS_LIMITS: Limits = Limits { connections: 16, patience: Some(DNS_PATIENCE) };

/// Serves a listener for ever.
pub(super) async fn pass(listener: TcpListener, to: SocketAddr, limits: Limits) {
    let mut tasks = JoinSet::new();
    let mut open: Vec<Open> = Vec::new();
    let order = Arc::new(AtomicU64::new(0));
    loop {
        let Ok((inner, _)) = listener.accept().await else {
            // Out of descriptors, for a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while tasks.try_join_next().is_some() {}
        make_room(&mut open, limits.connections);
        let last = Last { of: Arc::default(), order: order.clone() };
        last.note();
        let used = last.of.clone();
        let pass = async move {
            // Dropping what nobody answers is what a closed port would do.
            if let Ok(outer) = TcpStream::connect(to).await {
                let _ = (inner.set_nodelay(true), outer.set_nodelay(true));
                let (mut inner, mut outer) = (last.clone().noting(inner), last.noting(outer));
                let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
            }
        };
        let task = tasks.spawn(async move {
            match limits.patience {
                Some(patience) => drop(tokio::time::timeout(patience, pass).await),
                None => pass.await,
            }
        });
        open.push(Open { used, task });
    }
}

/// A connection, and when something came on it.
struct Open {
    used: Arc<AtomicU64>,
    task: AbortHandle,
}

fn make_room(open: &mut Vec<Open>, most: usize) {
    if open.len() < most {
        return;
    }
    open.retain(|one| !one.task.is_finished());
    if open.len() < most {
        return;
    }
    if let Some(idlest) = (0..open.len()).min_by_key(|at| open[*at].used.load(Relaxed)) {
        open.swap_remove(idlest).task.abort();
    }
}

/// When something came last, by a number that counts up: only the order matters.
#[derive(Clone)]
struct Last {
    of: Arc<AtomicU64>,
    order: Arc<AtomicU64>,
}

impl Last {
    fn note(&self) {
        self.of.store(self.order.fetch_add(1, Relaxed), Relaxed);
    }

    fn noting(self, stream: TcpStream) -> Noting {
        Noting { stream, last: self }
    }
}

/// Notes what comes.
struct Noting {
    stream: TcpStream,
    last: Last,
}

impl AsyncRead for Noting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.last.note();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A relay to a server that sends back what comes.
    async fn relay(limits: Limits) -> (SocketAddr, JoinSet<()>) {
        let mut tasks = JoinSet::new();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = server.local_addr().unwrap();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (mut one, _) = server.accept().await.unwrap();
                open.spawn(async move {
                    let mut byte = [0];
                    while one.read_exact(&mut byte).await.is_ok() {
                        one.write_all(&byte).await.unwrap();
                    }
                });
            }
        });
        let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = relay.local_addr().unwrap();
        tasks.spawn(pass(relay, to, limits));
        (at, tasks)
    }

    async fn ask(one: &mut TcpStream) -> u8 {
        one.write_all(b"?").await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, one.read_u8()).await;
        answer.expect("it waits for others to go").unwrap()
    }

    async fn connected(at: SocketAddr) -> TcpStream {
        let mut one = TcpStream::connect(at).await.unwrap();
        assert_eq!(ask(&mut one).await, b'?');
        one
    }

    #[tokio::test]
    async fn idle_connections_of_many_builds_leave_room_for_the_next() {
        let (at, _tasks) = relay(LIMITS).await;
        let mut kept = Vec::new();
        for _ in 0..400 {
            kept.push(connected(at).await);
        }
        assert_eq!(ask(&mut kept[0]).await, b'?');
    }

    #[tokio::test]
    async fn the_connection_that_is_idle_longest_makes_room() {
        let (at, _tasks) = relay(Limits { connections: 3, patience: None }).await;
        let mut open = [connected(at).await, connected(at).await, connected(at).await];
        ask(&mut open[0]).await;
        let mut fourth = connected(at).await;
        let closed = tokio::time::timeout(PATIENCE, open[1].read_u8()).await.expect("it is closed");
        assert!(closed.is_err());
        for one in [&mut fourth, &mut open[0]] {
            assert_eq!(ask(one).await, b'?');
        }
        assert_eq!(ask(&mut open[2]).await, b'?');
    }
}
