//! Senders that begin a body and do not end it: they hold little, and not for long.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::content::OCI_MANIFEST;
use super::fixture::{Kind, own};
use super::raw;

const MIB: usize = 1 << 20;
/// Longer than the server waits for a body that stands still, and much shorter than it waits for one that comes.
const STANDS_STILL: Duration = Duration::from_secs(30);

/// Sends a head that promises `length` bytes, and `given` of them. A refusal may end it early.
async fn begun(port: u16, head: String, length: usize, given: usize) -> TcpStream {
    let mut stream = raw::connect(port).await;
    let head = format!("{head}Content-Length: {length}\r\n\r\n");
    if stream.write_all(head.as_bytes()).await.is_ok() {
        let _all_or_refused = timeout(STANDS_STILL, stream.write_all(&vec![b' '; given])).await;
    }
    stream
}

/// The status line of what came, if something did.
async fn came(stream: &mut TcpStream) -> Option<String> {
    let mut start = [0; 12];
    timeout(Duration::from_millis(200), stream.read_exact(&mut start)).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&start).into_owned())
}

#[tokio::test]
async fn manifests_that_are_begun_and_not_ended_have_a_bound() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    let headers = [("Authorization", mona.authorization()), ("Content-Type", OCI_MANIFEST)];
    let before = server.rss_bytes();
    let manifest = |n: usize| {
        let head = raw::head(registry.port, "PUT", &format!("/v2/{name}/manifests/t{n}"), &headers);
        begun(registry.port, head, 4 * MIB, 4 * MIB - 100)
    };
    let mut begun: Vec<_> = stream::iter(0..60).map(manifest).buffer_unordered(16).collect().await;
    let held = server.rss_bytes().saturating_sub(before);
    let mut refused = 0;
    for stream in &mut begun {
        refused += usize::from(came(stream).await.is_some_and(|start| start.ends_with(" 429")));
    }
    eprintln!("60 manifests of 4 MiB that are not ended: {} MiB more, {refused} were refused", held >> 20);
    assert!(refused >= 50, "{refused} were refused");
    assert!(held < 100 << 20, "they hold {} MiB", held >> 20);
    // What needs no body goes on.
    timeout(Duration::from_secs(20), mona.has_blob(&name, &image.layer)).await.expect("reads wait for no body");
    drop(begun);
    let end = Instant::now() + STANDS_STILL;
    while mona.put_manifest(&name, "v2", OCI_MANIFEST, &image.manifest.to_string()).await.status != 201 {
        assert!(Instant::now() < end, "the room is not given back");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_manifest_that_stands_still_is_given_up_soon() {
    let (_server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona) = registry.new_repository().await;
    let headers = [("Authorization", mona.authorization()), ("Content-Type", OCI_MANIFEST)];
    let head = raw::head(registry.port, "PUT", &format!("/v2/{name}/manifests/v1"), &headers);
    let mut stream = begun(registry.port, head, 1000, 10).await;
    let mut all = Vec::new();
    timeout(STANDS_STILL, stream.read_to_end(&mut all)).await.expect("it is not given up").ok();
    raw::parse(&all, "a manifest that stands still".into()).fails(408, "UNSUPPORTED");
}

#[tokio::test]
async fn blobs_that_are_begun_and_not_ended_hold_little() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let (name, mona, image) = registry.with_image().await;
    let headers = [("Authorization", mona.authorization())];
    let before = server.rss_bytes();
    let blob = async |_| {
        let upload = mona.start(&name).await;
        begun(registry.port, raw::head(registry.port, "PATCH", &upload, &headers), MIB, MIB - 100).await
    };
    let begun: Vec<_> = stream::iter(0..200).map(blob).buffer_unordered(16).collect().await;
    sleep(Duration::from_secs(1)).await;
    let held = server.rss_bytes().saturating_sub(before);
    eprintln!("200 blobs of 1 MiB that are not ended: {} MiB more", held >> 20);
    assert!(held < 110 << 20, "they hold {} MiB", held >> 20);
    timeout(Duration::from_secs(20), mona.has_blob(&name, &image.layer)).await.expect("reads wait for no upload");
    drop(begun);
}
