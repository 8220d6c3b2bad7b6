//! Deleting tags, manifests and blobs.

use super::content::{digest, index};
use super::fixture::{Kind, Registry};

both! {
    a_deleted_tag_leaves_its_manifest,
    a_deleted_manifest_takes_its_tags_along,
    a_child_of_an_index_stays,
    a_deleted_blob_is_unknown,
    a_blob_that_an_image_needs_stays,
    what_is_not_there_cannot_be_deleted,
    a_deleted_image_can_be_pushed_again,
    deleting_needs_its_own_right,
}

async fn a_deleted_tag_leaves_its_manifest(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let path = format!("/v2/{name}/manifests");
    mona.push_manifest(&name, "v2", &image.manifest).await;
    mona.delete(&format!("{path}/v1")).await.is(202);
    mona.get(&format!("{path}/v1")).await.fails(404, "MANIFEST_UNKNOWN");
    for reference in ["v2", &image.digest] {
        mona.get(&format!("{path}/{reference}")).await.is(200);
    }
}

async fn a_deleted_manifest_takes_its_tags_along(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let path = format!("/v2/{name}/manifests");
    mona.push_manifest(&name, "v2", &image.manifest).await;
    let other = mona.push_image(&name, "other").await;
    mona.delete(&format!("{path}/{}", image.digest)).await.is(202);
    for reference in ["v1", "v2", &image.digest] {
        mona.get(&format!("{path}/{reference}")).await.fails(404, "MANIFEST_UNKNOWN");
    }
    let answer = mona.get(&format!("{path}/other")).await.is(200);
    assert_eq!(answer.header("docker-content-digest"), other.digest);
}

async fn a_child_of_an_index_stays(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let path = format!("/v2/{name}/manifests");
    let all = mona.push_manifest(&name, "all", &index(std::slice::from_ref(&image.manifest))).await;
    let answer = mona.delete(&format!("{path}/{}", image.digest)).await.is(409);
    assert!(answer.text().contains("delete that first"), "{answer}");
    mona.get(&format!("{path}/v1")).await.is(200);
    mona.delete(&format!("{path}/{all}")).await.is(202);
    mona.delete(&format!("{path}/{}", image.digest)).await.is(202);
}

async fn a_deleted_blob_is_unknown(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    let blob = mona.push_blob(&name, b"goes away").await;
    let path = format!("/v2/{name}/blobs/{blob}");
    mona.delete(&path).await.is(202);
    mona.get(&path).await.fails(404, "BLOB_UNKNOWN");
    mona.delete(&path).await.fails(404, "BLOB_UNKNOWN");
    mona.push_blob(&name, b"goes away").await;
    mona.has_blob(&name, b"goes away").await;
}

async fn a_blob_that_an_image_needs_stays(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    mona.push_manifest(&name, "all", &index(std::slice::from_ref(&image.manifest))).await;
    for bytes in [&image.layer, &image.config] {
        let path = format!("/v2/{name}/blobs/{}", digest(bytes));
        let answer = mona.delete(&path).await.fails(405, "UNSUPPORTED");
        assert!(answer.text().contains(&format!("part of manifest {}", image.digest)), "{answer}");
        assert_eq!(answer.header("allow"), "GET, HEAD");
        mona.has_blob(&name, bytes).await;
    }
    // In a repository where no image needs it, it may go.
    let (other, elsewhere) = Registry::on(kind).await.new_repository().await;
    elsewhere.push_image(&other, "v1").await;
    elsewhere.push_blob(&other, &image.layer).await;
    let elsewhere = Registry::on(kind).await.mona(&[&other]).await;
    elsewhere.delete(&format!("/v2/{other}/blobs/{}", digest(&image.layer))).await.is(202);
    mona.has_blob(&name, &image.layer).await;
    // The tag of the index goes with it; the image under it then goes too, and so may its blobs.
    let all = mona.head(&format!("/v2/{name}/manifests/all")).await.is(200);
    for manifest in [all.header("docker-content-digest"), &image.digest] {
        mona.delete(&format!("/v2/{name}/manifests/{manifest}")).await.is(202);
    }
    for bytes in [&image.layer, &image.config] {
        mona.delete(&format!("/v2/{name}/blobs/{}", digest(bytes))).await.is(202);
    }
}

async fn what_is_not_there_cannot_be_deleted(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    let absent = digest("absent");
    for reference in ["v2", &absent] {
        mona.delete(&format!("/v2/{name}/manifests/{reference}")).await.fails(404, "MANIFEST_UNKNOWN");
    }
    mona.delete(&format!("/v2/{name}/blobs/{absent}")).await.fails(404, "BLOB_UNKNOWN");
}

async fn a_deleted_image_can_be_pushed_again(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    mona.delete(&format!("/v2/{name}/manifests/{}", image.digest)).await.is(202);
    mona.push_manifest(&name, "v1", &image.manifest).await;
    let answer = mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    assert_eq!(answer.header("docker-content-digest"), image.digest);
}

async fn deleting_needs_its_own_right(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, _, image) = registry.with_image().await;
    let scope = format!("repository:{name}:pull,push");
    let pusher = registry.with(Some(&registry.bearer(Some(&registry.mona), &[&scope]).await));
    for path in
        [format!("manifests/{}", image.digest), "manifests/v1".into(), format!("blobs/{}", digest(&image.layer))]
    {
        let answer = pusher.delete(&format!("/v2/{name}/{path}")).await.fails(401, "UNAUTHORIZED");
        let scope = format!("scope=\"repository:{name}:delete\",error=\"insufficient_scope\"");
        assert!(answer.header("www-authenticate").ends_with(&scope), "{answer}");
    }
}
