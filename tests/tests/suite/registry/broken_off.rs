//! Clients that vanish in the middle of an upload.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::content::{digest, many_bytes};
use super::fixture::{Kind, Registry};
use super::raw;
use super::session::Session;

both! {
    an_upload_goes_on_after_a_closed_connection,
    an_upload_goes_on_after_a_reset_connection,
    an_upload_goes_on_after_a_broken_chunk,
}

/// How a client goes away after it has sent half of what it promised.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Close,
    Reset,
    BadChunk,
}

async fn an_upload_goes_on_after_a_closed_connection(kind: Kind) {
    goes_on(kind, Way::Close).await;
}

async fn an_upload_goes_on_after_a_reset_connection(kind: Kind) {
    goes_on(kind, Way::Reset).await;
}

async fn an_upload_goes_on_after_a_broken_chunk(kind: Kind) {
    goes_on(kind, Way::BadChunk).await;
}

async fn goes_on(kind: Kind, way: Way) {
    let registry = Registry::on(kind).await;
    let (name, mona) = registry.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(600_000);
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes[..100_000].to_vec()).await.is(202);

    let framing = match way {
        Way::BadChunk => ("Transfer-Encoding", "chunked"),
        _ => ("Content-Length", "500000"),
    };
    let headers = [("Authorization", mona.authorization()), framing];
    let head = raw::head(registry.port, "PATCH", &upload, &headers) + "\r\n";
    let mut stream = raw::connect(registry.port).await;
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    if way == Way::BadChunk {
        stream.write_all(b"30d40\r\n").await.expect("the server reads");
    }
    stream.write_all(&bytes[100_000..300_000]).await.expect("the server reads");
    match way {
        Way::BadChunk => stream.write_all(b"\r\nthis is no length\r\n").await.expect("the server reads"),
        Way::Reset => stream.set_zero_linger().expect("a TCP stream"),
        Way::Close => {}
    }
    sleep(Duration::from_millis(200)).await;
    drop(stream);

    let status = settled(&mona, &upload).await;
    let last: usize = status.header("range").trim_start_matches("0-").parse().expect("a range ends with a number");
    let stored = last + 1;
    assert!((100_000..=300_000).contains(&stored), "{status}");
    let range = format!("{stored}-{}", bytes.len() - 1);
    mona.patch(&upload, Some(&range), bytes[stored..].to_vec()).await.is(202);
    mona.finish(&upload, &digest(&bytes), "").await.is(201);
    mona.has_blob(&name, &bytes).await;
}

/// The status once the server has noticed: until then a writer from there on is refused, never mixed in.
async fn settled(mona: &Session, upload: &str) -> Answer {
    let free = async {
        loop {
            let status = mona.get(upload).await.is(204);
            let next = status.header("range").trim_start_matches("0-").parse::<usize>().expect("a number") + 1;
            // Nothing more, from where the server says: refused only while somebody holds the upload.
            let range = format!("{next}-{next}");
            let probe = mona.patch(upload, Some(&range), "").await;
            if probe.status != 409 {
                return mona.get(upload).await.is(204);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), free).await.expect("a client that is gone holds its upload no longer")
}
