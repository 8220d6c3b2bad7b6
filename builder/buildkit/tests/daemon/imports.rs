//! Imports of caches that outlive their build.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::host::{BASE, Daemon, Tree};
use slipway_buildkit::{BuildRequest, CacheOption, solve};

/// A registry that has nothing, asks for a token, and answers those without one only while it is open.
struct Registry {
    host: String,
    open: watch::Sender<bool>,
    waiting: Arc<AtomicUsize>,
}

impl Registry {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (open, opened) = watch::channel(true);
        let waiting = Arc::new(AtomicUsize::new(0));
        let registry = Self { host: host.clone(), open, waiting: waiting.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, host.clone(), opened.clone(), waiting.clone()));
            }
        });
        registry
    }

    async fn until_waiting(&self, number: usize) {
        while self.waiting.load(Ordering::Acquire) != number {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn import(&self) -> CacheOption {
        let attrs = [("ref", format!("{}/a/b:cache", self.host)), ("registry.insecure", "true".to_owned())];
        let attrs = attrs.map(|(key, value)| (key.to_owned(), value)).into();
        CacheOption { kind: "registry".to_owned(), attrs }
    }
}

async fn answer(mut stream: TcpStream, host: String, mut open: watch::Receiver<bool>, waiting: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let request = String::from_utf8_lossy(&request).to_lowercase();
    let (head, body) = if request.contains(" /token") {
        ("200 OK\r\ncontent-type: application/json".to_owned(), "{\"token\":\"t\",\"expires_in\":300}")
    } else if request.contains("\nauthorization:") {
        ("404 Not Found".to_owned(), "{}")
    } else {
        waiting.fetch_add(1, Ordering::AcqRel);
        let _ = open.wait_for(|is_open| *is_open).await;
        waiting.fetch_sub(1, Ordering::AcqRel);
        (format!("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://{host}/token\",service=\"test\""), "{}")
    };
    let text = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(text.as_bytes()).await;
}

#[tokio::test]
async fn builds_that_are_cancelled_in_an_import_hold_up_no_other() {
    const CANCELLED: usize = 10;
    let (daemon, registry) = (Daemon::start().await, Registry::start().await);
    let with_import = |tree: &Tree| BuildRequest { cache_imports: vec![registry.import()], ..tree.request() };
    let all = async {
        for number in 0..CANCELLED {
            let tree = Tree::with_dockerfile(&format!("{BASE}RUN echo {number}\n"));
            registry.open.send_replace(false);
            let build = solve(&daemon.client, with_import(&tree));
            registry.until_waiting(1).await;
            drop(build);
            registry.open.send_replace(true);
            registry.until_waiting(0).await;
        }
        let tree = Tree::with_dockerfile(&format!("{BASE}RUN echo last\n"));
        daemon.build(with_import(&tree)).await.1.unwrap();
    };
    // Without a session to ask, BuildKit would wait five seconds after each.
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("none need wait");
}
