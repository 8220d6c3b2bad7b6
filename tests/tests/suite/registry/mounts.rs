//! Blobs that come from another repository without their bytes.

use super::content::{OCI_MANIFEST, digest, image, unknown_digest};
use super::fixture::{Kind, Registry};

both! {
    a_blob_of_ones_own_is_mounted,
    a_blob_of_a_public_repository_is_mounted,
    a_mount_needs_the_right_to_pull,
    a_mount_of_what_is_not_there_starts_an_upload,
    a_bearer_without_the_source_mounts_nothing,
    a_mounted_blob_stays_when_its_source_is_deleted,
}

fn mount(into: &str, digest: &str, from: &str) -> String {
    format!("/v2/{into}/blobs/uploads/?mount={digest}&from={from}")
}

async fn a_blob_of_ones_own_is_mounted(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (from, _, image) = registry.with_image().await;
    let into = registry.repository();
    let mona = registry.mona(&[&from, &into]).await;
    for blob in [&image.layer, &image.config] {
        let answer = mona.post(&mount(&into, &digest(blob), &from)).await.is(201);
        assert_eq!(answer.header("location"), format!("/v2/{into}/blobs/{}", digest(blob)));
        assert_eq!(answer.header("docker-content-digest"), digest(blob));
    }
    mona.push_manifest(&into, "v1", &image.manifest).await;
    mona.has_blob(&into, &image.layer).await;
}

async fn a_blob_of_a_public_repository_is_mounted(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (from, _, image) = registry.with_image().await;
    Registry::server(kind).await.visibility(&from, "public").await;
    let into = from.replace("mona/", "eve/");
    let eve = registry.signed_in(&registry.eve, &[&into]).await;
    eve.post(&mount(&into, &digest(&image.layer), &from)).await.is(201);
}

async fn a_mount_needs_the_right_to_pull(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (from, _, theirs) = registry.with_image().await;
    let into = from.replace("mona/", "eve/");
    let eve = registry.signed_in(&registry.eve, &[&into, &from]).await;
    eve.push_image(&into, "own").await;
    let (private, unknown) = (digest(&theirs.layer), unknown_digest());
    for (digest, from) in
        [(&private, from.as_str()), (&unknown, &from), (&private, "mona/absent"), (&private, &into), (&private, "../x")]
    {
        let answer = eve.post(&mount(&into, digest, from)).await.is(202);
        assert_eq!(answer.header("docker-content-digest"), "", "{answer}");
        assert!(!answer.header("docker-upload-uuid").is_empty(), "{answer}");
    }
    let without_source = format!("/v2/{into}/blobs/uploads/?mount={private}");
    eve.post(&without_source).await.is(202);
    for digest in [&private, &unknown] {
        let answer = eve.get(&format!("/v2/{into}/blobs/{digest}")).await.fails(404, "BLOB_UNKNOWN");
        assert_eq!(answer.json()["errors"][0]["message"], format!("blob {digest} is not in this repository"));
        let answer = eve.head(&format!("/v2/{into}/blobs/{digest}")).await.is(404);
        assert_eq!(answer.header("content-type"), "application/json");
    }
    // The digest of a private layer in a manifest of her own opens nothing, and says no more than an unknown one.
    eve.push_blob(&into, b"").await;
    let steal = async |layer: &[u8]| {
        let answer = eve.put_manifest(&into, "stolen", OCI_MANIFEST, &image(b"", &[layer]).to_string()).await;
        answer.fails(404, "MANIFEST_BLOB_UNKNOWN").text().replace(&digest(layer), "")
    };
    assert_eq!(steal(&theirs.layer).await, steal(b"nowhere at all").await);
}

async fn a_mount_of_what_is_not_there_starts_an_upload(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (from, ..) = registry.with_image().await;
    let into = registry.repository();
    let mona = registry.mona(&[&from, &into]).await;
    let answer = mona.post(&mount(&into, &digest("not there yet"), &from)).await.is(202);
    mona.finish(answer.header("location"), &digest("not there yet"), "not there yet").await.is(201);
}

async fn a_bearer_without_the_source_mounts_nothing(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (from, _, image) = registry.with_image().await;
    let (into, mona) = registry.new_repository().await;
    mona.post(&mount(&into, &digest(&image.layer), &from)).await.is(202);
}

async fn a_mounted_blob_stays_when_its_source_is_deleted(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (from, _, image) = registry.with_image().await;
    let into = registry.repository();
    let mona = registry.mona(&[&from, &into]).await;
    for blob in [&image.layer, &image.config] {
        mona.post(&mount(&into, &digest(blob), &from)).await.is(201);
    }
    mona.push_manifest(&into, "v1", &image.manifest).await;
    let path = |name: &str| format!("/v2/{name}/blobs/{}", digest(&image.layer));
    mona.delete(&format!("/v2/{from}/manifests/{}", image.digest)).await.is(202);
    mona.delete(&path(&from)).await.is(202);
    // CVE-2026-35172: a read by the other repository must not bring it back in the first.
    for _ in 0..2 {
        mona.has_blob(&into, &image.layer).await;
        mona.get(&path(&from)).await.fails(404, "BLOB_UNKNOWN");
        mona.head(&path(&from)).await.is(404);
    }
}
