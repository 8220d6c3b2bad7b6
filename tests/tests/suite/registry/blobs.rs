//! Pulling blobs: whole, in part, by head, and not at all.

use reqwest::Method;

use super::answer::Answer;
use super::content::{digest, many_bytes, unique_bytes, unknown_digest};
use super::fixture::{Kind, Registry};
use super::session::Session;
use super::uploads_bad::malformed_digests;

both! {
    a_blob_comes_as_it_was_pushed,
    a_head_tells_the_size,
    a_range_gives_a_part,
    a_range_outside_is_refused,
    an_unreadable_range_is_as_none,
    large_blobs_come_whole,
    a_blob_of_another_repository_is_unknown,
    malformed_digests_are_refused,
    blobs_are_never_compressed_on_the_way,
}

async fn pushed(kind: Kind, bytes: &[u8]) -> (Session, String) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    mona.push_blob(&name, bytes).await;
    let path = format!("/v2/{name}/blobs/{}", digest(bytes));
    (mona, path)
}

async fn part(session: &Session, path: &str, range: &str) -> Answer {
    session.send(Method::GET, path, &[("range", range)], "").await
}

async fn a_blob_comes_as_it_was_pushed(kind: Kind) {
    let bytes = unique_bytes();
    let (mona, path) = pushed(kind, &bytes).await;
    let answer = mona.get(&path).await.is(200);
    assert_eq!(answer.body, bytes);
    assert_eq!(answer.header("docker-content-digest"), digest(&bytes));
    assert_eq!(answer.header("etag"), format!("\"{}\"", digest(&bytes)));
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

async fn a_head_tells_the_size(kind: Kind) {
    let (mona, path) = pushed(kind, &many_bytes(12_345)).await;
    let answer = mona.head(&path).await.is(200);
    assert_eq!(answer.header("content-length"), "12345");
    assert!(answer.body.is_empty());
    assert!(path.ends_with(answer.header("docker-content-digest")));
}

async fn a_range_gives_a_part(kind: Kind) {
    let bytes = many_bytes(1_000);
    let (mona, path) = pushed(kind, &bytes).await;
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 1_000),
        ("bytes=10-19", 10, 20),
        ("bytes=990-5000", 990, 1_000),
        ("bytes=-1", 999, 1_000),
        ("bytes=-5000", 0, 1_000),
        ("bytes=999-", 999, 1_000),
    ] {
        let answer = part(&mona, &path, range).await.is(206);
        assert!(answer.body == bytes[from..to], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/1000", to - 1), "{range}");
        assert_eq!(answer.header("content-length"), (to - from).to_string(), "{range}");
    }
}

async fn a_range_outside_is_refused(kind: Kind) {
    let (mona, path) = pushed(kind, &many_bytes(1_000)).await;
    for range in ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=18446744073709551615-"] {
        let answer = part(&mona, &path, range).await.is(416);
        assert_eq!(answer.header("content-range"), "bytes */1000", "{range}");
    }
}

async fn an_unreadable_range_is_as_none(kind: Kind) {
    let (mona, path) = pushed(kind, &many_bytes(1_000)).await;
    let bomb = format!("bytes={}", vec!["0-"; 1_300].join(","));
    for range in ["bytes=5-3", "bytes=a-b", "lines=0-1", "bytes=", "bytes=--1", "bytes=0-1,5-6", &bomb] {
        assert_eq!(part(&mona, &path, range).await.is(200).body.len(), 1_000, "{range}");
    }
}

async fn large_blobs_come_whole(kind: Kind) {
    let bytes = many_bytes((5 << 20) + 7);
    let (mona, path) = pushed(kind, &bytes).await;
    assert!(mona.get(&path).await.is(200).body == bytes);
    let answer = part(&mona, &path, "bytes=1048570-3145740").await.is(206);
    assert!(answer.body == bytes[1_048_570..=3_145_740]);
}

async fn a_blob_of_another_repository_is_unknown(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (one, _, image) = registry.with_image().await;
    let two = registry.repository();
    registry.mona(&[&two]).await.push_image(&two, "v1").await;
    let mona = registry.mona(&[&one, &two]).await;
    for digest in [digest(&image.layer), unknown_digest()] {
        let path = format!("/v2/{two}/blobs/{digest}");
        let answer = mona.get(&path).await.fails(404, "BLOB_UNKNOWN");
        assert_eq!(answer.json()["errors"][0]["message"], format!("blob {digest} is not in this repository"));
        mona.head(&path).await.is(404);
        mona.delete(&path).await.fails(404, "BLOB_UNKNOWN");
    }
    mona.get(&format!("/v2/{two}/manifests/{}", image.digest)).await.fails(404, "MANIFEST_UNKNOWN");
}

async fn malformed_digests_are_refused(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    for wrong in malformed_digests() {
        for path in [format!("/v2/{name}/blobs/{wrong}"), format!("/v2/{name}/referrers/{wrong}")] {
            mona.get(&path).await.fails(400, "DIGEST_INVALID");
        }
        mona.head(&format!("/v2/{name}/blobs/{wrong}")).await.is(400);
        mona.delete(&format!("/v2/{name}/blobs/{wrong}")).await.fails(400, "DIGEST_INVALID");
        let manifest = mona.get(&format!("/v2/{name}/manifests/{wrong}")).await;
        assert!(matches!(manifest.status, 400 | 404), "{manifest}");
    }
}

async fn blobs_are_never_compressed_on_the_way(kind: Kind) {
    let text = "the same words again and again ".repeat(1_000);
    let (mona, path) = pushed(kind, text.as_bytes()).await;
    let answer = mona.send(Method::GET, &path, &[("accept-encoding", "gzip, br, zstd")], "").await.is(200);
    assert_eq!(answer.header("content-length"), text.len().to_string());
    assert!(matches!(answer.header("content-encoding"), "" | "identity"), "{answer}");
    assert_eq!(answer.text(), text);
}
