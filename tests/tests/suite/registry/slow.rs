//! Clients that send so slowly that they could hold a server up by being many.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::fixture::{Kind, own};
use super::raw;
use super::session::Session;

/// More than there are threads for files: 512, shared between the workers.
const MANY: usize = 600;

/// An upload of a mebibyte that has sent one byte, and sends no more for now.
async fn begun(mona: &Session, port: u16, name: &str) -> TcpStream {
    let upload = mona.start(name).await;
    let headers = [("Authorization", mona.authorization()), ("Content-Length", "1048576")];
    let head = raw::head(port, "PATCH", &upload, &headers) + "\r\nx";
    let mut stream = raw::connect(port).await;
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    stream
}

#[tokio::test]
async fn many_slow_uploads_hold_no_reader_up() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder.env("SLIPWAY_UPLOADS_OPEN", "1000")).await;
    let (name, mona, image) = registry.with_image().await;
    let slow: Vec<_> =
        stream::iter(0..MANY).map(|_| begun(&mona, registry.port, &name)).buffer_unordered(8).collect().await;
    sleep(Duration::from_secs(1)).await;
    for _ in 0..8 {
        let read = timeout(Duration::from_secs(10), mona.has_blob(&name, &image.layer)).await;
        read.expect("reads wait for no upload");
    }
    drop((slow, server));
}
