//! Blob uploads as the specification allows them: in one request, in two, in chunks.

use reqwest::{Body, Method};

use super::content::{digest, many_bytes, unique_bytes};
use super::fixture::{Kind, Registry};

both! {
    a_blob_is_pushed_in_one_request,
    a_blob_is_pushed_in_two_requests,
    a_blob_is_pushed_in_one_stream,
    a_blob_is_pushed_in_chunks,
    the_closing_put_may_bring_the_last_chunk,
    a_stream_without_a_length_is_taken,
    the_status_tells_how_much_is_stored,
    a_cancelled_upload_is_gone,
    an_empty_blob_is_a_blob,
    the_same_blob_may_be_pushed_again,
    an_upload_belongs_to_its_repository_and_its_person,
    one_of_two_writers_is_refused,
}

async fn a_blob_is_pushed_in_one_request(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(100_000);
    let path = format!("/v2/{name}/blobs/uploads/?digest={}", digest(&bytes));
    let answer = mona.send(Method::POST, &path, &[], bytes.clone()).await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/{name}/blobs/{}", digest(&bytes)));
    assert_eq!(answer.header("docker-content-digest"), digest(&bytes));
    mona.has_blob(&name, &bytes).await;
}

async fn a_blob_is_pushed_in_two_requests(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let bytes = many_bytes(100_000);
    let answer = mona.post(&format!("/v2/{name}/blobs/uploads/")).await.is(202);
    let upload = answer.header("location");
    assert!(upload.ends_with(answer.header("docker-upload-uuid")), "{answer}");
    assert_eq!(answer.header("range"), "0-0");
    let answer = mona.finish(upload, &digest(&bytes), bytes.clone()).await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/{name}/blobs/{}", digest(&bytes)));
    mona.push_image(&name, "v1").await;
    mona.has_blob(&name, &bytes).await;
}

async fn a_blob_is_pushed_in_one_stream(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(3 << 20);
    let upload = mona.start(&name).await;
    let answer = mona.patch(&upload, None, bytes.clone()).await.is(202);
    assert_eq!(answer.header("range"), format!("0-{}", bytes.len() - 1));
    mona.finish(answer.header("location"), &digest(&bytes), "").await.is(201);
    mona.has_blob(&name, &bytes).await;
}

async fn a_blob_is_pushed_in_chunks(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(250_000);
    let mut upload = mona.start(&name).await;
    for (n, chunk) in bytes.chunks(100_000).enumerate() {
        let start = n * 100_000;
        let range = format!("{start}-{}", start + chunk.len() - 1);
        let answer = mona.patch(&upload, Some(&range), chunk.to_vec()).await.is(202);
        assert_eq!(answer.header("range"), format!("0-{}", start + chunk.len() - 1));
        answer.header("location").clone_into(&mut upload);
    }
    mona.finish(&upload, &digest(&bytes), "").await.is(201);
    mona.has_blob(&name, &bytes).await;
}

async fn the_closing_put_may_bring_the_last_chunk(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(20_000);
    let upload = mona.start(&name).await;
    mona.patch(&upload, Some("0-9999"), bytes[..10_000].to_vec()).await.is(202);
    let path = format!("{upload}?digest={}", digest(&bytes));
    let headers = [("content-range", "10000-19999")];
    mona.send(Method::PUT, &path, &headers, bytes[10_000..].to_vec()).await.is(201);
    mona.has_blob(&name, &bytes).await;
}

async fn a_stream_without_a_length_is_taken(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(500_000);
    let pieces: Vec<std::io::Result<Vec<u8>>> = bytes.chunks(70_000).map(|piece| Ok(piece.to_vec())).collect();
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, Body::wrap_stream(futures_util::stream::iter(pieces))).await.is(202);
    mona.finish(&upload, &digest(&bytes), "").await.is(201);
    mona.has_blob(&name, &bytes).await;
}

async fn the_status_tells_how_much_is_stored(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let upload = mona.start(&name).await;
    let answer = mona.get(&upload).await.is(204);
    assert_eq!((answer.header("range"), answer.header("location")), ("0-0", upload.as_str()));
    mona.patch(&upload, None, many_bytes(1_234)).await.is(202);
    let answer = mona.get(&upload).await.is(204);
    assert_eq!((answer.header("range"), answer.header("location")), ("0-1233", upload.as_str()));
}

async fn a_cancelled_upload_is_gone(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, "some bytes").await.is(202);
    mona.delete(&upload).await.is(204);
    mona.get(&upload).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
    mona.patch(&upload, None, "more").await.fails(404, "BLOB_UPLOAD_UNKNOWN");
    mona.finish(&upload, &digest("some bytes"), "").await.fails(404, "BLOB_UPLOAD_UNKNOWN");
    mona.delete(&upload).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
}

async fn an_empty_blob_is_a_blob(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let path = format!("/v2/{name}/blobs/{}", digest(""));
    let upload = mona.start(&name).await;
    mona.finish(&upload, &digest(""), "").await.is(201);
    mona.has_blob(&name, b"").await;
    assert_eq!(mona.head(&path).await.is(200).header("content-length"), "0");
    let one_request = format!("/v2/{name}/blobs/uploads/?digest={}", digest(""));
    mona.post(&one_request).await.is(201);
    mona.has_blob(&name, b"").await;
}

async fn the_same_blob_may_be_pushed_again(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = unique_bytes();
    for _ in 0..3 {
        mona.push_blob(&name, &bytes).await;
    }
    mona.has_blob(&name, &bytes).await;
}

async fn an_upload_belongs_to_its_repository_and_its_person(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona) = registry.new_repository().await;
    let other = registry.repository();
    let both = registry.mona(&[&name, &other]).await;
    both.push_image(&other, "v1").await;
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, "secret").await.is(202);
    let eves = format!("eve/{}", other.trim_start_matches("mona/"));
    let eve = registry.signed_in(&registry.eve, &[&eves]).await;
    eve.push_image(&eves, "v1").await;
    for (session, stranger) in [(&both, upload.replace(&name, &other)), (&eve, upload.replace(&name, &eves))] {
        session.get(&stranger).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
        session.patch(&stranger, None, "more").await.fails(404, "BLOB_UPLOAD_UNKNOWN");
        session.finish(&stranger, &digest("secret"), "").await.fails(404, "BLOB_UPLOAD_UNKNOWN");
        session.delete(&stranger).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
    }
    eve.get(&upload).await.fails(401, "UNAUTHORIZED");
    mona.finish(&upload, &digest("secret"), "").await.is(201);
}

async fn one_of_two_writers_is_refused(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let upload = mona.start(&name).await;
    let (sender, slow) = futures_channel();
    let writer = tokio::spawn({
        let (mona, upload) = (mona.clone(), upload.clone());
        async move { mona.patch(&upload, None, slow).await }
    });
    sender.send(Ok(b"first ".to_vec())).await.expect("the writer listens");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let second = mona.patch(&upload, Some("0-5"), "second").await;
    assert!(matches!(second.status, 409 | 416), "{second}");
    // The bytes so far are those of the first writer alone: they cannot be closed under its hands.
    let early = mona.finish(&upload, &digest(""), "").await;
    assert!(matches!(early.status, 409 | 416), "{early}");
    sender.send(Ok(b"writer".to_vec())).await.expect("the writer listens");
    drop(sender);
    writer.await.expect("no panic").is(202);
    mona.finish(&upload, &digest("first writer"), "").await.is(201);
    mona.push_image(&name, "v1").await;
    mona.has_blob(&name, b"first writer").await;
}

/// A body that arrives as the test sends it.
fn futures_channel() -> (tokio::sync::mpsc::Sender<std::io::Result<Vec<u8>>>, Body) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    (sender, Body::wrap_stream(stream))
}
