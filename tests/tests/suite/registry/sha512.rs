//! Digests by sha512, where a client asks for them.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::content::{OCI_INDEX, OCI_MANIFEST, digest, many_bytes, unique_bytes};
use super::fixture::{Kind, Registry, own};
use super::session::Session;

both! {
    a_blob_is_pushed_by_sha512_in_every_way,
    other_bytes_than_the_digest_says_are_refused,
    unknown_algorithms_are_refused,
    an_upload_by_sha512_goes_on_after_a_crash,
    a_manifest_is_pushed_and_pulled_by_sha512,
    tags_come_with_a_push_by_digest,
    a_blob_by_sha512_is_mounted_and_deleted,
    a_referrer_names_its_subject_by_sha512,
}

fn sha512(bytes: impl AsRef<[u8]>) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(bytes)))
}

async fn has(session: &Session, name: &str, bytes: &[u8]) {
    let path = format!("/v2/{name}/blobs/{}", sha512(bytes));
    let answer = session.get(&path).await.is(200);
    assert!(answer.body == bytes, "{path}");
    assert_eq!(answer.header("docker-content-digest"), sha512(bytes));
    assert_eq!(answer.header("etag"), format!("\"{}\"", sha512(bytes)));
    let head = session.head(&path).await.is(200);
    assert_eq!(head.header("content-length"), bytes.len().to_string());
    // It was asked for by that name only.
    session.get(&format!("/v2/{name}/blobs/{}", digest(bytes))).await.fails(404, "BLOB_UNKNOWN");
}

async fn push(session: &Session, name: &str, bytes: &[u8]) -> String {
    let path = format!("/v2/{name}/blobs/uploads/?digest={}", sha512(bytes));
    let answer = session.send(Method::POST, &path, &[], bytes.to_vec()).await.is(201);
    assert_eq!(answer.header("docker-content-digest"), sha512(bytes));
    assert_eq!(answer.header("location"), format!("/v2/{name}/blobs/{}", sha512(bytes)));
    sha512(bytes)
}

async fn a_blob_is_pushed_by_sha512_in_every_way(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let whole = many_bytes(200_000);
    push(&mona, &name, &whole).await;
    has(&mona, &name, &whole).await;
    // Announced at the start, or known at the end only; in one piece, in chunks, and of nothing.
    for query in ["?digest-algorithm=sha512", "?digest-algorithm=sha256", ""] {
        for chunks in [0, 1, 3] {
            let bytes = many_bytes(90_000 + chunks);
            let start = mona.post(&format!("/v2/{name}/blobs/uploads/{query}")).await.is(202);
            let upload = start.header("location").to_owned();
            for chunk in 0..chunks {
                let range = format!("{}-{}", chunk * 10_000, (chunk + 1) * 10_000 - 1);
                let part = bytes[chunk * 10_000..(chunk + 1) * 10_000].to_vec();
                mona.patch(&upload, Some(&range), part).await.is(202);
            }
            let rest = bytes[chunks * 10_000..].to_vec();
            mona.finish(&upload, &sha512(&bytes), rest).await.is(201);
            has(&mona, &name, &bytes).await;
        }
    }
    let (all, upload) = (many_bytes(50_000), mona.start(&name).await);
    mona.patch(&upload, None, all.clone()).await.is(202);
    mona.finish(&upload, &sha512(&all), "").await.is(201);
    has(&mona, &name, &all).await;
    push(&mona, &name, b"").await;
    has(&mona, &name, b"").await;
    // What was announced so may be named by sha256 all the same.
    let start = mona.post(&format!("/v2/{name}/blobs/uploads/?digest-algorithm=sha512")).await.is(202);
    let other = many_bytes(1_000);
    mona.finish(start.header("location"), &digest(&other), other.clone()).await.is(201);
    mona.has_blob(&name, &other).await;
    // And the same bytes by both.
    push(&mona, &name, &other).await;
    let by_both = mona.get(&format!("/v2/{name}/blobs/{}", sha512(&other))).await.is(200);
    assert!(by_both.body == other);
}

async fn other_bytes_than_the_digest_says_are_refused(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let (bytes, other) = (many_bytes(1_000), sha512(b"something else"));
    let path = format!("/v2/{name}/blobs/uploads/?digest={other}");
    mona.send(Method::POST, &path, &[], bytes.clone()).await.fails(400, "DIGEST_INVALID");
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes.clone()).await.is(202);
    mona.finish(&upload, &other, "").await.fails(400, "DIGEST_INVALID");
    mona.get(&format!("/v2/{name}/blobs/{other}")).await.is(404);
    let (_, body) = manifest(&mona, &name).await;
    mona.put_manifest(&name, &other, OCI_MANIFEST, &body).await.fails(400, "DIGEST_INVALID");
}

async fn unknown_algorithms_are_refused(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    for algorithm in ["sha384", "SHA512", "sha512:", "md5", "", "blake3"] {
        let path = format!("/v2/{name}/blobs/uploads/?digest-algorithm={algorithm}");
        mona.post(&path).await.fails(400, "DIGEST_INVALID");
    }
    let hex = "a".repeat(128);
    for wrong in [format!("sha512:{}", &hex[1..]), format!("sha512:{hex}a"), format!("sha512:{}", hex.to_uppercase())] {
        mona.get(&format!("/v2/{name}/blobs/{wrong}")).await.is(400);
    }
}

async fn an_upload_by_sha512_goes_on_after_a_crash(kind: Kind) {
    let (mut server, registry) = own(kind, |builder| builder).await;
    let (name, mona) = registry.new_repository().await;
    mona.push_image(&name, "v1").await;
    for query in ["?digest-algorithm=sha512", ""] {
        let bytes = many_bytes(300_000);
        let start = mona.post(&format!("/v2/{name}/blobs/uploads/{query}")).await.is(202);
        let upload = start.header("location").to_owned();
        mona.patch(&upload, None, bytes[..100_000].to_vec()).await.is(202);
        server.kill().await;
        server.start_again().await;
        let mona = registry.mona(&[&name]).await;
        mona.patch(&upload, Some("100000-199999"), bytes[100_000..200_000].to_vec()).await.is(202);
        mona.finish(&upload, &sha512(&bytes), bytes[200_000..].to_vec()).await.is(201);
        has(&mona, &name, &bytes).await;
    }
}

/// A manifest whose blobs are named by sha512, and its body.
async fn manifest(mona: &Session, name: &str) -> (Value, String) {
    let (config, layer) = (unique_bytes(), unique_bytes());
    for blob in [&config, &layer] {
        push(mona, name, blob).await;
    }
    let described = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": sha512(bytes), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described("application/vnd.oci.image.config.v1+json", &config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
    });
    let body = manifest.to_string();
    (manifest, body)
}

async fn a_manifest_is_pushed_and_pulled_by_sha512(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let (_, body) = manifest(&mona, &name).await;
    let answer = mona.put_manifest(&name, &sha512(&body), OCI_MANIFEST, &body).await.is(201);
    assert_eq!(answer.header("docker-content-digest"), sha512(&body));
    assert_eq!(answer.header("location"), format!("/v2/{name}/manifests/{}", sha512(&body)));
    let path = format!("/v2/{name}/manifests/{}", sha512(&body));
    let stored = mona.get(&path).await.is(200);
    assert_eq!((stored.text(), stored.header("docker-content-digest")), (body.clone(), &*sha512(&body)));
    mona.head(&path).await.is(200);
    mona.get(&format!("/v2/{name}/manifests/{}", digest(&body))).await.fails(404, "MANIFEST_UNKNOWN");
    let child = json!({ "mediaType": OCI_MANIFEST, "digest": sha512(&body), "size": body.len() });
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] });
    mona.push_manifest(&name, "all", &index).await;
    let mona = Registry::on(kind).await.mona(&[&name]).await;
    mona.delete(&path).await.fails(409, "UNSUPPORTED");
    mona.delete(&format!("/v2/{name}/manifests/{}", digest(index.to_string()))).await.is(202);
    mona.delete(&path).await.is(202);
}

async fn tags_come_with_a_push_by_digest(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let mut other = image.manifest.clone();
    other["annotations"] = json!({ "n": "2" });
    let other = other.to_string();
    for (body, reference) in
        [(image.manifest.to_string(), sha512(image.manifest.to_string())), (other.clone(), digest(&other))]
    {
        let reference_and_tags = format!("{reference}?tag=1.2&tag=1&tag=1&tag=latest");
        let answer = mona.put_manifest(&name, &reference_and_tags, OCI_MANIFEST, &body).await.is(201);
        let tags: Vec<_> = answer.headers.get_all("oci-tag").iter().map(|tag| tag.to_str().expect("a text")).collect();
        assert_eq!(tags, ["1.2", "1", "latest"]);
        for tag in tags {
            let stored = mona.get(&format!("/v2/{name}/manifests/{tag}")).await.is(200);
            assert_eq!((stored.text(), stored.header("docker-content-digest")), (body.clone(), &*reference));
        }
    }
    // All or nothing: what is no tag, or one of signatures, moves none.
    let beside = digest(&other).replace(':', "-");
    let many: Vec<_> = (0..101).map(|n| format!("tag=m{n}")).collect();
    let many = many.join("&");
    let body = image.manifest.to_string();
    for bad in ["tag=good&tag=.bad", &format!("tag=good&tag={beside}.sig"), &format!("tag=good&{many}"), "tag="] {
        let reference = format!("{}?{bad}", digest(&body));
        assert_eq!(mona.put_manifest(&name, &reference, OCI_MANIFEST, &body).await.status, 400, "{bad}");
    }
    for bad in [
        "v2?tag=v3".to_owned(),
        format!("v2?digest={}", sha512("other")),
        format!("v2?digest=sha384:{}", "0".repeat(96)),
        "v2?digest=".to_owned(),
        format!("{beside}.sig?digest={}", digest(&body)),
        format!("{0}?digest={0}", digest(&body)),
    ] {
        assert_eq!(mona.put_manifest(&name, &bad, OCI_MANIFEST, &body).await.status, 400, "{bad}");
    }
    for tag in ["good", "m0", "v2", "v3"] {
        mona.get(&format!("/v2/{name}/manifests/{tag}")).await.fails(404, "MANIFEST_UNKNOWN");
    }
    // A tag by the digest that its client wants.
    let wanted = sha512(&body);
    let pushed = mona.put_manifest(&name, &format!("v4?digest={wanted}"), OCI_MANIFEST, &body).await.is(201);
    assert_eq!(pushed.header("docker-content-digest"), wanted);
    let stored = mona.head(&format!("/v2/{name}/manifests/v4")).await.is(200);
    assert_eq!(stored.header("docker-content-digest"), wanted);
    let page = registry.mona(&[&name]).await.get(&format!("/v2/{name}/tags/list")).await.is(200).json();
    assert_eq!(page["tags"], json!(["1", "1.2", "latest", "v1", "v4"]));
}

async fn a_blob_by_sha512_is_mounted_and_deleted(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (one, two) = (registry.repository(), registry.repository());
    let mona = registry.mona(&[&one, &two]).await;
    for name in [&one, &two] {
        mona.push_image(name, "v1").await;
    }
    let bytes = many_bytes(5_000);
    push(&mona, &one, &bytes).await;
    let mount = format!("/v2/{two}/blobs/uploads/?mount={}&from={one}", sha512(&bytes));
    mona.post(&mount).await.is(201);
    has(&mona, &two, &bytes).await;
    mona.delete(&format!("/v2/{one}/blobs/{}", sha512(&bytes))).await.is(202);
    mona.get(&format!("/v2/{one}/blobs/{}", sha512(&bytes))).await.fails(404, "BLOB_UNKNOWN");
    has(&mona, &two, &bytes).await;
}

async fn a_referrer_names_its_subject_by_sha512(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let (image, body) = manifest(&mona, &name).await;
    mona.put_manifest(&name, &sha512(&body), OCI_MANIFEST, &body).await.is(201);
    let mut referrer = image;
    referrer["artifactType"] = json!("application/vnd.acme.mark");
    referrer["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": sha512(&body), "size": body.len() });
    let referrer = referrer.to_string();
    let answer = mona.put_manifest(&name, &sha512(&referrer), OCI_MANIFEST, &referrer).await.is(201);
    assert_eq!(answer.header("oci-subject"), sha512(&body));
    let listed = mona.get(&format!("/v2/{name}/referrers/{}", sha512(&body))).await.is(200).json();
    assert_eq!(listed["manifests"][0]["digest"], *sha512(&referrer));
    let none = mona.get(&format!("/v2/{name}/referrers/{}", digest(&body))).await.is(200).json();
    assert_eq!(none["manifests"], json!([]));
}
