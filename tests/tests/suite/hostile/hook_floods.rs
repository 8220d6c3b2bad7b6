//! Deliveries that many connections begin and do not end.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use super::{
    hook::Delivery,
    site::{Connected, Site, until},
};

const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// More than the server takes in at once.
const CONNECTIONS: usize = 400;
const PROMISED: usize = 20 << 20;

/// The head of a delivery from `address` with a signature of the right form.
fn head(to: &Connected, address: &str) -> String {
    format!(
        "POST /hooks/github/{} HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: {address}\r\nx-github-event: push\r\n\
         x-hub-signature-256: sha256={}\r\ncontent-type: application/json\r\ncontent-length: {PROMISED}\r\n\r\n",
        to.source_id,
        "0".repeat(64)
    )
}

/// Sends a little at a time until the server has enough; the first line of its answer, if one came.
async fn drip(port: u16, head: String) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
    stream.write_all(head.as_bytes()).await.ok();
    let piece = vec![b' '; 64 << 10];
    let mut answer = [0; 512];
    for _ in 0..PROMISED / piece.len() {
        if stream.write_all(&piece).await.is_err() {
            break;
        }
        tokio::select! {
            read = stream.read(&mut answer) => {
                let text = String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned();
                return text.lines().next().unwrap_or_default().to_owned();
            }
            () = sleep(Duration::from_millis(250)) => {}
        }
    }
    String::new()
}

#[tokio::test]
async fn many_slow_bodies_take_little_memory_and_leave_room() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("flood").await;
    let to = site.connected(&browser, "flood", "web", false).await;
    let before = site.server.rss_bytes();
    let floods: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            // Half of all places are one address's, at most.
            let address = if n % 2 == 0 { "203.0.113.8" } else { "203.0.113.9" };
            tokio::spawn(drip(site.server.port(), head(&to, address)))
        })
        .collect();
    let mut most = 0;
    for _ in 0..16 {
        sleep(Duration::from_millis(250)).await;
        most = most.max(site.server.rss_bytes().saturating_sub(before));
    }
    assert!(most < 256 << 20, "it grew by {} MiB", most >> 20);
    // The forge tries again, or polling finds the push.
    until("a delivery gets in", async || {
        let answer = Delivery::push(&to, "refs/heads/x", COMMIT).send(&site).await;
        (answer.status.as_u16() == 202).then_some(())
    })
    .await;
    let mut answers = Vec::new();
    for flood in floods {
        answers.push(flood.await.expect("a sender does not panic"));
    }
    assert!(answers.iter().any(|line| line.contains(" 429 ")), "{answers:?}");
}

#[tokio::test]
async fn one_address_cannot_keep_the_forge_out() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("flood").await;
    let to = site.connected(&browser, "flood", "web", false).await;
    let floods: Vec<_> =
        (0..CONNECTIONS).map(|_| tokio::spawn(drip(site.server.port(), head(&to, "203.0.113.8")))).collect();
    sleep(Duration::from_secs(1)).await;
    Delivery::push(&to, "refs/heads/x", COMMIT).send(&site).await.is(202);
    floods.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn no_body_is_read_for_a_source_that_is_not_there() {
    let site = Site::shared().await;
    let browser = site.signed_in("hook-nobody").await;
    let to = site.connected(&browser, "hook-nobody", "web", false).await;
    let absent = Connected { source_id: "01890000-0000-7000-8000-000000000000".to_owned(), ..to };
    // No byte of the body is sent.
    let mut stream = TcpStream::connect(("127.0.0.1", site.server.port())).await.expect("the server listens");
    stream.write_all(head(&absent, "203.0.113.10").as_bytes()).await.expect("a head is small");
    let mut answer = [0; 32];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    let read = read.expect("the answer comes before the body").expect("the server answers");
    let line = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(line.starts_with("HTTP/1.1 401 "), "{line}");
}
