//! Readers that ask for much and take nothing.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::header::AUTHORIZATION;
use rustix::process::{Resource, getrlimit, setrlimit};
use slipway_tests::{Certificate, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::content::{OCI_MANIFEST, digest, many_bytes};
use super::fixture::{Kind, own};
use super::raw;

/// More than the kernel holds for a connection.
const BLOB: usize = 48 << 20;
const READERS: usize = 300;
/// The server gives up a reader after 30 seconds without progress.
const GIVEN_UP: Duration = Duration::from_mins(2);

/// Open sockets of the server.
fn sockets(server: &Server) -> usize {
    let folder = format!("/proc/{}/fd", server.pid());
    let links = std::fs::read_dir(folder).expect("the process is ours").flatten();
    links
        .filter_map(|link| std::fs::read_link(link.path()).ok())
        .filter(|to| to.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Waits until the server has at most so many sockets.
async fn until_sockets(server: &Server, most: usize, what: &str) {
    let end = Instant::now() + GIVEN_UP;
    while sockets(server) > most {
        assert!(Instant::now() < end, "{what}: {} sockets are open", sockets(server));
        sleep(Duration::from_millis(500)).await;
    }
}

/// Asks, and reads nothing of the answer. Its own buffer is small, so that the server has the rest.
async fn stalled(port: u16, request: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("a buffer");
    let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    stream
}

#[tokio::test]
async fn readers_that_take_nothing_hold_little_and_are_given_up() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    let blob = many_bytes(BLOB);
    mona.push_blob(&name, &blob).await;
    let path = format!("/v2/{name}/blobs/{}", digest(&blob));
    let request = raw::head(registry.port, "GET", &path, &[("Authorization", mona.authorization())]) + "\r\n";
    let (before, idle) = (server.rss_bytes(), sockets(&server));
    let readers: Vec<_> =
        stream::iter(0..READERS).map(|_| stalled(registry.port, &request)).buffer_unordered(16).collect().await;
    sleep(Duration::from_secs(5)).await;
    let held = server.rss_bytes().saturating_sub(before);
    eprintln!("{READERS} readers that take nothing: {} MiB more", held >> 20);
    assert!(held < 160 << 20, "they hold {} MiB", held >> 20);
    // Others go on meanwhile.
    timeout(Duration::from_secs(20), mona.has_blob(&name, &image.layer)).await.expect("reads wait for no reader");
    timeout(Duration::from_mins(1), mona.has_blob(&name, &blob)).await.expect("a large blob comes whole");
    until_sockets(&server, idle + 4, "nobody gave the readers up").await;
    eprintln!("and after they were given up: {} MiB more", server.rss_bytes().saturating_sub(before) >> 20);
    drop(readers);
}

#[tokio::test]
async fn readers_by_tls_are_given_up_as_well() {
    let certificate = Certificate::for_localhost().await;
    let (server, registry) = own(Kind::Sqlite, |builder| builder.tls(&certificate)).await;
    let registry = registry.trusting(&server);
    let (name, mona) = registry.new_repository().await;
    let blob = many_bytes(BLOB);
    mona.push_blob(&name, &blob).await;
    let url = server.url(&format!("/v2/{name}/blobs/{}", digest(&blob)));
    let idle = sockets(&server);
    let http = server.http().build().expect("a client");
    let mut readers = Vec::new();
    for _ in 0..8 {
        let answer = http.get(&url).header(AUTHORIZATION, mona.authorization()).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        readers.push(answer);
    }
    assert!(sockets(&server) >= idle + 8, "they are open");
    until_sockets(&server, idle + 4, "nobody gave the readers up").await;
    drop(readers);
}

#[tokio::test]
async fn large_manifests_that_nobody_reads_have_a_bound() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    let mut manifest = image.manifest.clone();
    manifest["annotations"] = serde_json::json!({ "padding": "x".repeat((4 << 20) - 2_000) });
    mona.put_manifest(&name, "large", OCI_MANIFEST, &manifest.to_string()).await.is(201);
    let path = format!("/v2/{name}/manifests/large");
    let request = raw::head(registry.port, "GET", &path, &[("Authorization", mona.authorization())]) + "\r\n";
    let before = server.rss_bytes();
    let mut readers = Vec::new();
    // One after the other: what is measured is what they hold, not what it costs to read a manifest.
    for _ in 0..80 {
        let mut reader = stalled(registry.port, &request).await;
        let mut start = [0; 12];
        reader.read_exact(&mut start).await.expect("an answer begins");
        readers.push((reader, String::from_utf8_lossy(&start).into_owned()));
    }
    let held = server.rss_bytes().saturating_sub(before);
    let refused = readers.iter().filter(|(_, start)| start.ends_with(" 429")).count();
    eprintln!("80 readers of 4 MiB: {} MiB more, {refused} were refused", held >> 20);
    assert!(refused > 40, "{refused} were refused");
    assert!(held < 200 << 20, "they hold {} MiB", held >> 20);
    let (last, _) = readers.pop().expect("there are some");
    drop(last);
    let answer = mona.get(&path).await.fails(429, "TOOMANYREQUESTS");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|secs| secs > 0), "{answer}");
    // A small one has its place.
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    drop(readers);
}

#[tokio::test]
async fn one_address_has_half_of_all_connections() {
    const EACH: usize = 2_048;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("our own limit can be raised");
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let before = server.rss_bytes();
    let mut idle = Vec::new();
    for _ in 0..EACH + 50 {
        idle.push(raw::connect(registry.port).await);
    }
    // Each worker takes its connections in their order: with an answer on the last ones, all have been counted.
    let kept = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for stream in idle.iter_mut().rev().take(64) {
        stream.write_all(kept).await.expect("the server reads");
        let mut start = [0; 12];
        timeout(GIVEN_UP, stream.read_exact(&mut start)).await.expect("an answer").expect("an answer begins");
    }
    let answer = raw::request(registry.port, "GET", "/v2/", &[]).await.fails(429, "TOOMANYREQUESTS");
    assert!(!answer.header("retry-after").is_empty(), "{answer}");
    // Also for a client that would go on.
    let answer = raw::exchange(registry.port, kept, "a kept connection".into()).await.is(429);
    assert_eq!(answer.header("connection"), "close", "{answer}");
    let held = server.rss_bytes().saturating_sub(before);
    eprintln!("{} idle connections: {} MiB more", idle.len(), held >> 20);
    assert!(held < 150 << 20, "they hold {} MiB", held >> 20);
    drop(idle);
    let end = Instant::now() + Duration::from_secs(30);
    while raw::request(registry.port, "GET", "/healthz", &[]).await.status != 200 {
        assert!(Instant::now() < end, "the places are not given back");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Sends so many requests at once as the server takes, and reads nothing.
async fn pipelined(port: u16, requests: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("a buffer");
    let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.expect("the server listens");
    let _as_much_as_it_takes = timeout(Duration::from_millis(500), stream.write_all(requests.as_bytes())).await;
    stream
}

#[tokio::test]
async fn small_answers_that_nobody_reads_have_a_bound() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, _) = registry.with_image().await;
    let path = format!("/v2/{name}/manifests/v1");
    for (what, request) in
        [("pages", "GET / HTTP/1.1"), ("heads", "HEAD / HTTP/1.1"), ("refusals", "GET /v2/ HTTP/1.1")]
    {
        let requests = format!("{request}\r\nHost: localhost\r\n\r\n").repeat(3_000);
        let before = server.rss_bytes();
        let many: Vec<_> =
            stream::iter(0..600).map(|_| pipelined(registry.port, &requests)).buffer_unordered(64).collect().await;
        sleep(Duration::from_secs(2)).await;
        let held = server.rss_bytes().saturating_sub(before) >> 20;
        eprintln!("600 readers of {what} that take nothing: {held} MiB more");
        assert!(held < 130, "{what}: they hold {held} MiB");
        drop(many);
        let end = Instant::now() + GIVEN_UP;
        while mona.get(&path).await.status != 200 {
            assert!(Instant::now() < end, "the places are not given back");
            sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test]
async fn one_address_has_half_of_all_streams_of_events() {
    const EACH: usize = 512;
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, _) = registry.with_image().await;
    server.visibility(&name, "public").await;
    let path = format!("/{name}/-/builds/events");
    let request = raw::head(registry.port, "GET", &path, &[]) + "\r\n";
    let open = async |_| {
        let mut stream = stalled(registry.port, &request).await;
        let mut start = [0; 12];
        timeout(GIVEN_UP, stream.read_exact(&mut start)).await.expect("an answer").expect("an answer begins");
        (stream, String::from_utf8_lossy(&start).into_owned())
    };
    let streams: Vec<_> = stream::iter(0..EACH).map(open).buffer_unordered(32).collect().await;
    assert!(streams.iter().all(|(_, start)| start.ends_with(" 200")), "one was refused");
    let answer = raw::request(registry.port, "GET", &path, &[]).await.is(429);
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|secs| secs > 0), "{answer}");
    // What ends by itself has its place.
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    drop(streams);
}
