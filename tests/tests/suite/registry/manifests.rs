//! Manifests of every kind: stored byte by byte, found by tag and by digest.

use reqwest::Method;
use serde_json::{Value, json};

use super::content::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, descriptor, digest, image, index, unique_bytes};
use super::fixture::{Kind, Registry};

both! {
    a_manifest_comes_as_it_was_pushed,
    a_head_tells_what_a_get_would,
    a_manifest_is_pushed_by_its_digest,
    a_tag_moves,
    bytes_are_kept_not_reformatted,
    docker_manifests_are_not_converted,
    an_index_needs_its_children,
    any_media_type_is_taken,
    a_wrong_media_type_is_mended_by_another_push,
    a_manifest_needs_its_blobs,
    foreign_layers_need_no_blob,
    the_largest_manifest_is_4_mib,
    a_repository_exists_from_its_first_manifest_on,
    names_may_be_nested,
}

async fn a_manifest_comes_as_it_was_pushed(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    for reference in ["v1", &image.digest] {
        let answer = mona.get(&format!("/v2/{name}/manifests/{reference}")).await.is(200);
        assert_eq!(answer.text(), image.manifest.to_string());
        assert_eq!(answer.header("content-type"), OCI_MANIFEST);
        assert_eq!(answer.header("docker-content-digest"), image.digest);
        assert_eq!(answer.header("etag"), format!("\"{}\"", image.digest));
    }
}

async fn a_head_tells_what_a_get_would(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let answer = mona.head(&format!("/v2/{name}/manifests/v1")).await.is(200);
    assert_eq!(answer.header("content-length"), image.manifest.to_string().len().to_string());
    assert_eq!(answer.header("content-type"), OCI_MANIFEST);
    assert_eq!(answer.header("docker-content-digest"), image.digest);
    mona.head(&format!("/v2/{name}/manifests/v2")).await.is(404);
}

async fn a_manifest_is_pushed_by_its_digest(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let layer = unique_bytes();
    mona.push_blob(&name, &layer).await;
    let manifest = image(&layer, &[]);
    let right = digest(manifest.to_string());
    let answer = mona.put_manifest(&name, &right, OCI_MANIFEST, &manifest.to_string()).await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/{name}/manifests/{right}"));
    assert_eq!(answer.header("docker-content-digest"), right);
    let answer = mona.put_manifest(&name, &digest("x"), OCI_MANIFEST, &manifest.to_string()).await;
    answer.fails(400, "DIGEST_INVALID");
    assert_eq!(mona.get(&format!("/v2/{name}/tags/list")).await.is(200).json()["tags"], json!([]));
}

async fn a_tag_moves(kind: Kind) {
    let (name, mona, first) = Registry::on(kind).await.with_image().await;
    let second = mona.push_image(&name, "v1").await;
    let path = format!("/v2/{name}/manifests");
    let answer = mona.get(&format!("{path}/v1")).await.is(200);
    assert_eq!(answer.header("docker-content-digest"), second.digest);
    mona.get(&format!("{path}/{}", first.digest)).await.is(200);
    mona.push_manifest(&name, "v1", &first.manifest).await;
    let answer = mona.get(&format!("{path}/v1")).await.is(200);
    assert_eq!(answer.header("docker-content-digest"), first.digest);
}

async fn bytes_are_kept_not_reformatted(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let body = serde_json::to_string_pretty(&image.manifest).expect("a value is JSON").replace("  ", "\t") + "\n\n";
    let answer = mona.put_manifest(&name, "pretty", &format!("{OCI_MANIFEST}; charset=utf-8"), &body).await.is(201);
    assert_eq!(answer.header("docker-content-digest"), digest(&body));
    let answer = mona.get(&format!("/v2/{name}/manifests/pretty")).await.is(200);
    assert_eq!((answer.text(), answer.header("content-type")), (body, OCI_MANIFEST));
}

async fn docker_manifests_are_not_converted(kind: Kind) {
    let (name, mona, pushed) = Registry::on(kind).await.with_image().await;
    let mut manifest = image(&pushed.config, &[&pushed.layer]);
    manifest["mediaType"] = json!(DOCKER_MANIFEST);
    mona.push_manifest(&name, "docker", &manifest).await;
    let accept = [("accept", OCI_MANIFEST)];
    let answer = mona.send(Method::GET, &format!("/v2/{name}/manifests/docker"), &accept, "").await.is(200);
    assert_eq!((answer.header("content-type"), answer.text()), (DOCKER_MANIFEST, manifest.to_string()));
}

async fn an_index_needs_its_children(kind: Kind) {
    let (name, mona, first) = Registry::on(kind).await.with_image().await;
    let second = image(&first.config, &[]);
    let both = index(&[first.manifest.clone(), second.clone()]);
    let answer = mona.put_manifest(&name, "all", OCI_INDEX, &both.to_string()).await;
    let answer = answer.fails(404, "MANIFEST_BLOB_UNKNOWN");
    assert!(answer.text().contains(&digest(second.to_string())), "{answer}");
    mona.push_manifest(&name, &digest(second.to_string()), &second).await;
    mona.push_manifest(&name, "all", &both).await;
    let answer = mona.get(&format!("/v2/{name}/manifests/all")).await.is(200);
    assert_eq!((answer.header("content-type"), answer.text()), (OCI_INDEX, both.to_string()));
    let of_indexes = index(std::slice::from_ref(&both));
    mona.push_manifest(&name, "nested", &of_indexes).await;
}

async fn a_wrong_media_type_is_mended_by_another_push(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let mut silent = image.manifest.clone();
    silent.as_object_mut().expect("an object").remove("mediaType");
    silent["subject"] = descriptor(OCI_MANIFEST, &image.digest, 1);
    let listed = async || {
        let answer = mona.get(&format!("/v2/{name}/referrers/{}", image.digest)).await.is(200);
        answer.json()["manifests"][0]["artifactType"].clone()
    };
    mona.put_manifest(&name, "v2", "application/vnd.acme.thing.v3+json", &silent.to_string()).await.is(201);
    assert_eq!(listed().await, Value::Null);
    mona.put_manifest(&name, "v2", OCI_MANIFEST, &silent.to_string()).await.is(201);
    let answer = mona.get(&format!("/v2/{name}/manifests/v2")).await.is(200);
    assert_eq!(answer.header("content-type"), OCI_MANIFEST);
    assert_eq!(listed().await, silent["config"]["mediaType"]);
}

async fn any_media_type_is_taken(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let thing = json!({ "blobs": [descriptor("application/x", &digest(&image.layer), image.layer.len())], "x": [1] });
    let media_type = "application/vnd.acme.thing.v3+json";
    mona.put_manifest(&name, "thing", media_type, &thing.to_string()).await.is(201);
    let answer = mona.get(&format!("/v2/{name}/manifests/thing")).await.is(200);
    assert_eq!((answer.header("content-type"), answer.text()), (media_type, thing.to_string()));
}

async fn a_manifest_needs_its_blobs(kind: Kind) {
    let (name, mona, pushed) = Registry::on(kind).await.with_image().await;
    let absent = unique_bytes();
    for manifest in [image(&pushed.config, &[&absent]), image(&absent, &[&pushed.layer])] {
        let answer = mona.put_manifest(&name, "v2", OCI_MANIFEST, &manifest.to_string()).await;
        let answer = answer.fails(404, "MANIFEST_BLOB_UNKNOWN");
        assert!(answer.text().contains(&digest(&absent)), "{answer}");
    }
    mona.get(&format!("/v2/{name}/manifests/v2")).await.fails(404, "MANIFEST_UNKNOWN");
}

async fn foreign_layers_need_no_blob(kind: Kind) {
    let (name, mona, pushed) = Registry::on(kind).await.with_image().await;
    let mut manifest = image(&pushed.config, &[]);
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let mut layer = descriptor(foreign, &digest("elsewhere"), 9);
    layer["urls"] = json!(["http://169.254.169.254/latest", "http://127.0.0.1:1/layer"]);
    manifest["layers"] = json!([layer.clone()]);
    mona.push_manifest(&name, "foreign", &manifest).await;
    // Other layers with addresses are ordinary ones: their bytes have to be here.
    layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    manifest["layers"] = json!([layer]);
    let answer = mona.put_manifest(&name, "foreign", OCI_MANIFEST, &manifest.to_string()).await;
    answer.fails(404, "MANIFEST_BLOB_UNKNOWN");
}

async fn the_largest_manifest_is_4_mib(kind: Kind) {
    let (name, mona, pushed) = Registry::on(kind).await.with_image().await;
    let of_size = |size: usize| {
        let mut manifest = pushed.manifest.clone();
        manifest["annotations"] = json!({ "padding": "" });
        let room = size - manifest.to_string().len();
        manifest["annotations"]["padding"] = Value::from("x".repeat(room));
        manifest.to_string()
    };
    let largest = of_size(4 << 20);
    mona.put_manifest(&name, "largest", OCI_MANIFEST, &largest).await.is(201);
    let answer = mona.get(&format!("/v2/{name}/manifests/largest")).await.is(200);
    assert!(answer.text() == largest);
}

async fn a_repository_exists_from_its_first_manifest_on(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.get(&format!("/v2/{name}/tags/list")).await.fails(404, "NAME_UNKNOWN");
    mona.push_blob(&name, b"first").await;
    // Who pushes reads the blobs so far, as docker does after each; for all others it is not there yet.
    mona.has_blob(&name, b"first").await;
    mona.push_image(&name, "v1").await;
    assert_eq!(mona.get(&format!("/v2/{name}/tags/list")).await.is(200).json()["tags"], json!(["v1"]));
}

async fn names_may_be_nested(kind: Kind) {
    let registry = Registry::on(kind).await;
    let top = registry.repository();
    // Words of the protocol are names like any other.
    for name in [top.clone(), format!("{top}/web/api"), format!("{top}/blobs/uploads"), format!("{top}/tags/list")] {
        let mona = registry.mona(&[&name]).await;
        let image = mona.push_image(&name, "v1").await;
        let answer = mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
        assert_eq!(answer.header("docker-content-digest"), image.digest);
        let tags = mona.get(&format!("/v2/{name}/tags/list")).await.is(200);
        assert_eq!(tags.json(), json!({ "name": name, "tags": ["v1"] }));
        mona.has_blob(&name, &image.layer).await;
    }
}
