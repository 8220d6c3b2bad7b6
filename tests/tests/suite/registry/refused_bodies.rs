//! Requests that are refused before their body was read: the client gets the answer, and is not left hanging.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use super::answer::Answer;
use super::content::OCI_MANIFEST;
use super::fixture::{Kind, Registry};
use super::raw;

/// Far more than the server takes, on a loaded machine too; whoever hangs does so for minutes.
const PATIENCE: Duration = Duration::from_secs(30);
const LARGE: usize = 8 << 20;

/// A request that is refused, and with what.
struct Refused {
    status: u16,
    head: String,
}

/// Heads without a length and without `Connection: close`, for every kind of route that takes a body.
async fn refused(registry: &Registry) -> Vec<Refused> {
    let (name, mona) = registry.new_repository().await;
    let authorization = format!("Authorization: {}\r\n", mona.authorization());
    let upload = format!("/v2/{name}/blobs/uploads/{}", Uuid::new_v4());
    let attempt = format!("/builder/v1/attempts/{}", Uuid::new_v4());
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let manifest = format!("Content-Type: {OCI_MANIFEST}\r\n");
    let same = format!("{form}Sec-Fetch-Site: same-origin\r\n");
    let requests = [
        (401, "POST", format!("/v2/{name}/blobs/uploads/?digest=sha256:x"), String::new()),
        (401, "PATCH", upload.clone(), String::new()),
        (404, "PATCH", upload.clone(), authorization.clone()),
        (404, "PUT", format!("{upload}?digest=sha256:{}", "a".repeat(64)), authorization.clone()),
        (400, "POST", format!("/v2/{name}/blobs/uploads/?digest=x"), authorization.clone()),
        (400, "POST", "/v2/Not/A/name/blobs/uploads/".into(), authorization.clone()),
        (401, "PUT", format!("/v2/{name}/manifests/v1"), manifest.clone()),
        (400, "PUT", format!("/v2/{name}/manifests/@"), format!("{manifest}{authorization}")),
        (400, "PUT", format!("/%762/{name}/manifests/v1"), format!("{manifest}{authorization}")),
        (404, "PUT", "/v2/nothing".into(), authorization.clone()),
        (405, "POST", format!("/v2/{name}/manifests/v1"), authorization.clone()),
        (401, "POST", "/hooks/github/x".into(), json.into()),
        (401, "POST", "/builder/v1/claim".into(), json.into()),
        (401, "POST", format!("{attempt}/records"), json.into()),
        (401, "POST", format!("{attempt}/finish"), json.into()),
        (403, "POST", "/settings/tokens".into(), form.into()),
        (401, "POST", "/settings/tokens".into(), same.clone()),
        (404, "POST", format!("/{name}/-/builds"), same.clone()),
        (404, "POST", "/nobody/nothing/-/nowhere".into(), same),
        (405, "POST", "/healthz".into(), json.into()),
    ];
    let host = format!("Host: localhost:{}\r\n", registry.port);
    let head = |(status, method, target, more)| Refused {
        status,
        head: format!("{method} {target} HTTP/1.1\r\n{host}{more}"),
    };
    requests.into_iter().map(head).collect()
}

fn what(head: &str) -> String {
    head.lines().next().unwrap_or_default().to_owned()
}

/// The answer, and the end of the connection.
async fn to_the_end(stream: &mut TcpStream, what: String) -> Answer {
    let mut all = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await;
    // A reset after the answer is an end as well.
    read.unwrap_or_else(|_late| panic!("{what}: neither read nor closed: {}", String::from_utf8_lossy(&all))).ok();
    let continued = b"HTTP/1.1 100 Continue\r\n\r\n";
    raw::parse(all.strip_prefix(continued).unwrap_or(&all), what)
}

/// A body that is begun and never ended.
async fn begun(registry: &Registry, one: &Refused, framing: &str) {
    let mut stream = raw::connect(registry.port).await;
    let text = format!("{}{framing}", one.head);
    stream.write_all(text.as_bytes()).await.expect("the server reads");
    let answer = to_the_end(&mut stream, what(&one.head)).await.is(one.status);
    assert_eq!(answer.header("connection"), "close", "{answer}");
}

#[tokio::test]
async fn a_refused_body_that_never_ends_ends_the_connection() {
    let registry = Registry::on(Kind::Sqlite).await;
    let all = refused(&registry).await;
    for framing in [
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        "Content-Length: 60000\r\n\r\nhello",
        "Content-Length: 60000\r\nExpect: 100-continue\r\n\r\n",
    ] {
        join_all(all.iter().map(|one| begun(&registry, one, framing))).await;
    }
}

#[tokio::test]
async fn many_refused_bodies_at_once_are_all_answered() {
    let registry = Registry::on(Kind::Sqlite).await;
    let all = refused(&registry).await;
    let framing = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    join_all((0..200).map(|n| begun(&registry, &all[n % 4], framing))).await;
}

/// Sends all of a large body before it looks at the answer, as simple clients do.
async fn sent_first(registry: &Registry, one: &Refused, chunked: bool) {
    let mut stream = raw::connect(registry.port).await;
    let framing = if chunked {
        "Transfer-Encoding: chunked\r\n\r\n".to_owned()
    } else {
        format!("Content-Length: {LARGE}\r\n\r\n")
    };
    stream.write_all(format!("{}{framing}", one.head).as_bytes()).await.expect("the server reads");
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..LARGE / piece.len() {
        let framed = if chunked { [b"10000\r\n", &piece[..], b"\r\n"].concat() } else { piece.clone() };
        stream.write_all(&framed).await.unwrap_or_else(|e| panic!("{}: it is not read: {e}", one.head));
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.expect("the server reads");
    }
    let answer = to_the_end(&mut stream, what(&one.head)).await;
    // A form is read beside the question who asks: its size may be the first that is wrong.
    assert!([one.status, 413].contains(&answer.status), "{answer}");
}

#[tokio::test]
async fn who_sends_a_large_body_first_gets_the_answer_afterwards() {
    let registry = Registry::on(Kind::Sqlite).await;
    let all = refused(&registry).await;
    for chunked in [true, false] {
        for some in all.chunks(4) {
            join_all(some.iter().map(|one| sent_first(&registry, one, chunked))).await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_goes_on_with_the_next_request() {
    let registry = Registry::on(Kind::Sqlite).await;
    let mut kept = 0;
    for one in refused(&registry).await {
        for body in ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Content-Length: 5\r\n\r\nhello"] {
            let mut stream = raw::connect(registry.port).await;
            let next = raw::head(registry.port, "GET", "/healthz", &[]) + "\r\n";
            stream.write_all(format!("{}{body}", one.head).as_bytes()).await.expect("the server reads");
            let first = one_answer(&mut stream, &one.head).await;
            // A form is read beside the question who asks: that it makes no sense may be found first.
            let status = first.split(' ').nth(1).unwrap_or_default();
            assert!([one.status.to_string().as_str(), "400"].contains(&status), "{}: {first}", one.head);
            if first.to_lowercase().contains("\r\nconnection: close\r\n") {
                continue;
            }
            kept += 1;
            stream.write_all(next.as_bytes()).await.expect("the server reads");
            to_the_end(&mut stream, format!("after {}", one.head)).await.is(200);
        }
    }
    assert!(kept > 0, "every small body cost its connection");
}

/// One answer on a connection that stays open: its head, with its body taken off the stream.
async fn one_answer(stream: &mut TcpStream, what: &str) -> String {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(b"\r\n\r\n") {
        let read = timeout(PATIENCE, stream.read_exact(&mut byte)).await;
        read.unwrap_or_else(|_late| panic!("{what}: no answer")).expect("the answer is whole");
        all.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&all).into_owned();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("the answer is whole");
    head
}
