//! HTTP by hand, for what no client library would send.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::Answer;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens")
}

/// Sends a request whose target and headers are taken as they are, and reads the answer.
pub(super) async fn request(port: u16, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut head = head(port, method, target, headers);
    head.push_str("\r\n");
    exchange(port, head.as_bytes(), format!("{method} {target}")).await
}

/// Request line and headers without the empty line at the end. A `Host` among `headers` replaces ours.
pub(super) fn head(port: u16, method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        write!(head, "Host: localhost:{port}\r\n").expect("a string takes any text");
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("a string takes any text");
    }
    head
}

/// Sends any bytes and reads until the server closes.
pub(super) async fn exchange(port: u16, bytes: &[u8], what: String) -> Answer {
    let mut stream = connect(port).await;
    stream.write_all(bytes).await.expect("the server reads");
    let mut all = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await;
    read.unwrap_or_else(|_late| panic!("{what}: no end after {PATIENCE:?}")).ok();
    parse(&all, what)
}

/// Sends `head` and then `total` bytes in pieces while it listens; answers what came, and how many bytes were taken.
pub(super) async fn send_much(port: u16, head: String, chunked: bool, total: usize) -> (Answer, usize) {
    let (mut read, mut write) = connect(port).await.into_split();
    let what = head.lines().next().unwrap_or_default().to_owned();
    let sending = tokio::spawn(async move {
        let piece = vec![b' '; 64 << 10];
        let mut sent = 0;
        if write.write_all(head.as_bytes()).await.is_err() {
            return sent;
        }
        while sent < total {
            let framed = if chunked { [b"10000\r\n", &piece[..], b"\r\n"].concat() } else { piece.clone() };
            if write.write_all(&framed).await.is_err() {
                return sent;
            }
            sent += piece.len();
        }
        sent
    });
    let mut all = Vec::new();
    timeout(PATIENCE, read.read_to_end(&mut all)).await.unwrap_or_else(|_late| panic!("{what}: no end")).ok();
    // The answer is here: what is still to be sent does not matter.
    let sent =
        timeout(PATIENCE, sending).await.expect("the server takes it or closes").expect("sending does not panic");
    (parse(&all, what), sent)
}

/// Reads an answer with `Connection: close`.
pub(super) fn parse(all: &[u8], what: String) -> Answer {
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("{what}: no whole head in {:?}", String::from_utf8_lossy(&all[..all.len().min(500)]));
    });
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        let name: HeaderName = name.parse().expect("header names are tokens");
        headers.append(name, HeaderValue::from_str(value).expect("our headers are text"));
    }
    let body = all[end + 4..].to_vec();
    Answer { what, status: status.expect("a status line has a number"), headers, body }
}
