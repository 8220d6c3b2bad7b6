//! Requests whose head is begun and not ended, and who waits with its body.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::content::{OCI_MANIFEST, digest, many_bytes};
use super::fixture::{Kind, Registry, own};
use super::raw;

const PATIENCE: Duration = Duration::from_secs(30);

/// One answer without a body on a connection that stays open.
async fn head_of_answer(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("no answer");
        all.push(byte.expect("the answer is whole"));
    }
    String::from_utf8(all).expect("heads are text")
}

#[tokio::test]
async fn a_second_request_that_is_begun_and_not_ended_ends_the_connection() {
    let registry = Registry::on(Kind::Sqlite).await;
    let begun = async |first: &str, second: &str| {
        let mut stream = raw::connect(registry.port).await;
        if !first.is_empty() {
            stream.write_all(first.as_bytes()).await.expect("the server reads");
            head_of_answer(&mut stream).await;
        }
        stream.write_all(second.as_bytes()).await.expect("the server reads");
        let mut rest = Vec::new();
        // Thirty seconds, and the time until somebody looks.
        let read = timeout(Duration::from_secs(75), stream.read_to_end(&mut rest)).await;
        read.unwrap_or_else(|_late| panic!("{second:?} is waited for")).ok();
    };
    let whole = "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    join_all(["HEAD /healthz HTTP/1.1\r\nHost: loc", "H", "\r\n"].map(|second| begun(whole, second))).await;
}

#[tokio::test]
async fn long_heads_that_are_not_ended_hold_little() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let before = server.rss_bytes();
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(120 << 10));
    let begun = async |_| {
        let mut stream = raw::connect(registry.port).await;
        let _all_or_refused = timeout(PATIENCE, stream.write_all(long.as_bytes())).await;
        stream
    };
    let begun: Vec<_> = stream::iter(0..1_500).map(begun).buffer_unordered(64).collect().await;
    sleep(Duration::from_secs(1)).await;
    let held = server.rss_bytes().saturating_sub(before);
    eprintln!("1,500 heads of 120 KiB that are not ended: {} MiB more", held >> 20);
    assert!(held < 75 << 20, "they hold {} MiB", held >> 20);
    drop(begun);
}

#[tokio::test]
async fn a_refusal_comes_without_asking_for_the_body() {
    let registry = Registry::on(Kind::Sqlite).await;
    let (name, mona) = registry.new_repository().await;
    let authorization = mona.authorization();
    let own = [("Authorization", authorization), ("Content-Type", OCI_MANIFEST)];
    let manifest = format!("/v2/{name}/manifests/v1");
    let uploads = format!("/v2/{name}/blobs/uploads/");
    let upload = mona.start(&name).await;
    let asked = [
        ("PUT", manifest.as_str(), &own[1..], "1000000", 401),
        ("PUT", &manifest, &own[..], "100000000", 413),
        ("POST", &uploads, &[][..], "1000000", 401),
        ("PATCH", &upload, &[][..], "1000000", 401),
        ("PUT", &upload, &own[..], "1000000", 400),
        ("POST", "/hooks/github/x", &own[1..], "1000000", 401),
        ("POST", "/builder/v1/claim", &[][..], "1000000", 401),
        ("POST", "/settings/tokens", &[][..], "1000000", 403),
        ("PUT", "/v2/nothing", &own[..], "1000000", 404),
        ("POST", "/v2//x", &own[..], "1000000", 400),
    ];
    join_all(asked.map(async |(method, target, headers, length, status)| {
        let more = [("Expect", "100-continue"), ("Content-Length", length)];
        let headers: Vec<_> = headers.iter().copied().chain(more).collect();
        raw::request(registry.port, method, target, &headers).await.is(status);
    }))
    .await;
}

#[tokio::test]
async fn who_waits_is_told_to_go_on_when_the_body_is_wanted() {
    let registry = Registry::on(Kind::Sqlite).await;
    let (name, mona) = registry.new_repository().await;
    let blob = many_bytes(300_000);
    let blob_digest = digest(&blob);
    let upload = mona.start(&name).await;
    for (method, target, chunked) in [
        ("POST", format!("/v2/{name}/blobs/uploads/?digest={blob_digest}"), false),
        ("PUT", format!("{upload}?digest={blob_digest}"), true),
    ] {
        let framing = if chunked {
            "Transfer-Encoding: chunked\r\n".to_owned()
        } else {
            format!("Content-Length: {}\r\n", blob.len())
        };
        let headers = [("Authorization", mona.authorization()), ("Expect", "100-continue")];
        let head = raw::head(registry.port, method, &target, &headers) + &framing + "\r\n";
        let mut stream = raw::connect(registry.port).await;
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        assert_eq!(head_of_answer(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n", "{method}");
        if chunked {
            stream.write_all(format!("{:x}\r\n", blob.len()).as_bytes()).await.expect("the server reads");
        }
        stream.write_all(&blob).await.expect("the server reads");
        if chunked {
            stream.write_all(b"\r\n0\r\n\r\n").await.expect("the server reads");
        }
        let mut all = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("no answer").ok();
        raw::parse(&all, method.to_owned()).is(201);
    }
    mona.has_blob(&name, &blob).await;
}

#[tokio::test]
async fn what_cannot_be_read_as_http_is_answered_with_our_headers() {
    let registry = Registry::on(Kind::Sqlite).await;
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(140 << 10));
    for (sent, status) in
        [("nonsense\r\n\r\n", 400), ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400), (&long, 431)]
    {
        let answer = raw::exchange(registry.port, sent.as_bytes(), sent.chars().take(40).collect()).await.is(status);
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer}");
        assert!(answer.header("content-security-policy").contains("sandbox"), "{answer}");
    }
}
