//! Blob uploads that have to be refused.

use reqwest::Method;
use uuid::Uuid;

use super::content::{digest, many_bytes, unique_bytes, unknown_digest};
use super::fixture::{Kind, Registry};

both! {
    a_gap_is_answered_with_the_present_range,
    a_wrong_range_stores_nothing,
    a_wrong_range_in_the_closing_put_is_refused,
    a_wrong_digest_makes_no_blob,
    the_digest_of_a_part_is_a_wrong_digest,
    a_closing_put_names_one_digest,
    malformed_digests_are_refused_before_anything_is_stored,
    ids_that_are_not_ours_do_not_exist,
    nobody_uploads_without_a_right,
}

async fn a_gap_is_answered_with_the_present_range(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let upload = mona.start(&name).await;
    mona.patch(&upload, Some("0-99"), many_bytes(100)).await.is(202);
    for range in ["0-99", "99-198", "101-200", "5000-5099", "18446744073709551515-18446744073709551614"] {
        let answer = mona.patch(&upload, Some(range), many_bytes(100)).await.fails(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((answer.header("range"), answer.header("location")), ("0-99", upload.as_str()), "{range}");
    }
    let answer = mona.patch(&upload, Some("100-199"), many_bytes(100)).await.is(202);
    assert_eq!(answer.header("range"), "0-199");
}

async fn a_wrong_range_stores_nothing(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, many_bytes(100)).await.is(202);
    for range in ["", "100", "100-", "-199", "199-100", "a-b", "100-150", "100-300", "bytes */5", "100-199-299"] {
        let answer = mona.patch(&upload, Some(range), many_bytes(100)).await.fails(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((answer.header("range"), answer.header("location")), ("0-99", upload.as_str()), "{range:?}");
        assert_eq!(mona.get(&upload).await.is(204).header("range"), "0-99", "{range:?}");
    }
}

async fn a_wrong_range_in_the_closing_put_is_refused(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(200);
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes[..100].to_vec()).await.is(202);
    let path = format!("{upload}?digest={}", digest(&bytes));
    for range in ["0-99", "101-200", "100-198"] {
        let headers = [("content-range", range)];
        let answer = mona.send(Method::PUT, &path, &headers, bytes[100..].to_vec()).await;
        let answer = answer.fails(416, "BLOB_UPLOAD_INVALID");
        assert_eq!(answer.header("range"), "0-99", "{range}");
    }
    let headers = [("content-range", "100-199")];
    mona.send(Method::PUT, &path, &headers, bytes[100..].to_vec()).await.is(201);
    mona.has_blob(&name, &bytes).await;
}

async fn a_wrong_digest_makes_no_blob(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let (bytes, wrong) = (unique_bytes(), unknown_digest());
    let one_request = format!("/v2/{name}/blobs/uploads/?digest={wrong}");
    mona.send(Method::POST, &one_request, &[], bytes.clone()).await.fails(400, "DIGEST_INVALID");
    let upload = mona.start(&name).await;
    mona.finish(&upload, &wrong, bytes.clone()).await.fails(400, "DIGEST_INVALID");
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes.clone()).await.is(202);
    mona.finish(&upload, &wrong, "").await.fails(400, "DIGEST_INVALID");
    mona.get(&upload).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
    for digest in [digest(&bytes), wrong] {
        mona.get(&format!("/v2/{name}/blobs/{digest}")).await.fails(404, "BLOB_UNKNOWN");
    }
}

async fn the_digest_of_a_part_is_a_wrong_digest(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let bytes = many_bytes(1_000);
    for part in [&bytes[..500], &bytes[..999], &bytes[500..], b""] {
        let upload = mona.start(&name).await;
        mona.patch(&upload, None, bytes.clone()).await.is(202);
        mona.finish(&upload, &digest(part), "").await.fails(400, "DIGEST_INVALID");
    }
}

async fn a_closing_put_names_one_digest(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let (bytes, wrong) = (unique_bytes(), unknown_digest());
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes.clone()).await.is(202);
    let right = digest(&bytes);
    for query in [
        String::new(),
        "?digest=".into(),
        format!("?digest={right}&digest={wrong}"),
        format!("?digest={wrong}&digest={right}"),
        format!("?digest={right}&digest={right}"),
        format!("?Digest={right}"),
    ] {
        let answer = mona.send(Method::PUT, &format!("{upload}{query}"), &[], "").await;
        assert_eq!(answer.status, 400, "{answer}");
    }
    let two = format!("/v2/{name}/blobs/uploads/?digest={right}&digest={wrong}");
    assert_eq!(mona.send(Method::POST, &two, &[], bytes).await.status, 400);
    mona.finish(&upload, &right, "").await.is(201);
}

/// Digests that name a path, another algorithm, or nothing.
pub(super) fn malformed_digests() -> Vec<String> {
    let hex = "a".repeat(64);
    vec![
        "sha256:".into(),
        hex.clone(),
        format!("sha256:{}", "A".repeat(64)),
        format!("SHA256:{hex}"),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}a"),
        format!("sha512:{}", "a".repeat(127)),
        format!("md5:{}", &hex[32..]),
        format!("sha256:..%2F..%2F{}", &hex[6..]),
        format!("sha256:%2e%2e{}", &hex[2..]),
        format!("sha256:{hex}%00"),
        format!("sha256:{hex}%0a"),
        format!("sha256:{}", "%61".repeat(64)).replacen("%61", "%C3%A9", 1),
        format!("sha256+b64:{hex}"),
        format!("sha256:{}", "a".repeat(4_000)),
    ]
}

async fn malformed_digests_are_refused_before_anything_is_stored(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, "bytes").await.is(202);
    for wrong in malformed_digests() {
        mona.finish(&upload, &wrong, "").await.fails(400, "DIGEST_INVALID");
        let one_request = format!("/v2/{name}/blobs/uploads/?digest={wrong}");
        mona.send(Method::POST, &one_request, &[], "bytes").await.fails(400, "DIGEST_INVALID");
        let answer = mona.post(&format!("/v2/{name}/blobs/uploads/?mount={wrong}&from={name}")).await;
        answer.fails(400, "DIGEST_INVALID");
    }
    mona.finish(&upload, &digest("bytes"), "").await.is(201);
}

async fn ids_that_are_not_ours_do_not_exist(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let long = "a".repeat(5_000);
    for id in [&Uuid::new_v4().to_string(), &Uuid::nil().to_string(), "x", "a%2fetc", &long, "1;--", "%00"] {
        let path = format!("/v2/{name}/blobs/uploads/{id}");
        mona.get(&path).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
        mona.patch(&path, None, "x").await.fails(404, "BLOB_UPLOAD_UNKNOWN");
        mona.finish(&path, &digest("x"), "x").await.fails(404, "BLOB_UPLOAD_UNKNOWN");
        mona.delete(&path).await.fails(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

async fn nobody_uploads_without_a_right(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, ..) = registry.with_image().await;
    Registry::server(kind).await.visibility(&name, "public").await;
    let path = format!("/v2/{name}/blobs/uploads/");
    for session in [
        registry.with(None),
        registry.anonymous(&[&name]).await,
        registry.signed_in(&registry.eve, &[&name]).await,
        registry.signed_in(&registry.mona_reads, &[&name]).await,
    ] {
        session.post(&path).await.fails(401, "UNAUTHORIZED");
        let whole = format!("{path}?digest={}", digest("x"));
        session.send(Method::POST, &whole, &[], "x").await.fails(401, "UNAUTHORIZED");
    }
}
