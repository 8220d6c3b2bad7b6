//! What programs write where they know nothing: `null`, and empty texts and lists. And indexes of what is no manifest.

use serde_json::{Value, json};

use super::content::{OCI_INDEX, OCI_MANIFEST, descriptor, digest, many_bytes, unique_bytes, unknown_digest};
use super::fixture::{Kind, Registry};
use super::session::{Image, Session};

both! {
    null_is_as_missing_wherever_a_field_is_optional,
    an_artifact_without_layers_is_taken,
    an_empty_artifact_type_is_as_missing,
    an_index_may_list_blobs_of_its_repository,
    a_blob_that_an_index_lists_stays,
    an_index_lists_nothing_that_is_not_here,
    no_index_beside_an_image_lists_a_blob,
}

/// The image with a change that clients make no difference of.
async fn pushed(mona: &Session, name: &str, image: &Image, change: impl Fn(&mut Value)) {
    let mut manifest = image.manifest.clone();
    change(&mut manifest);
    let answer = mona.put_manifest(name, "nulls", OCI_MANIFEST, &manifest.to_string()).await.is(201);
    assert_eq!(answer.header("docker-content-digest"), digest(manifest.to_string()));
    let stored = mona.get(&format!("/v2/{name}/manifests/nulls")).await.is(200);
    assert_eq!((stored.text(), stored.header("content-type")), (manifest.to_string(), OCI_MANIFEST));
}

async fn null_is_as_missing_wherever_a_field_is_optional(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    for missing in [json!(null), json!("")] {
        for key in ["mediaType", "artifactType"] {
            pushed(&mona, &name, &image, |m| m[key] = missing.clone()).await;
        }
        for place in ["/layers/0", "/config"] {
            pushed(&mona, &name, &image, |m| m.pointer_mut(place).expect("it is there")["mediaType"] = missing.clone())
                .await;
        }
        for key in ["os", "architecture", "variant"] {
            pushed(&mona, &name, &image, |m| m["layers"][0]["platform"] = json!({ key: missing })).await;
        }
    }
    for key in ["annotations", "subject", "manifests", "blobs", "anything"] {
        pushed(&mona, &name, &image, |m| m[key] = json!(null)).await;
    }
    for key in ["urls", "annotations", "data", "platform", "artifactType", "anything"] {
        for place in ["/layers/0", "/config"] {
            pushed(&mona, &name, &image, |m| m.pointer_mut(place).expect("it is there")[key] = json!(null)).await;
        }
    }
    pushed(&mona, &name, &image, |m| m["annotations"] = json!({ "a": null })).await;
    // A struct of Go that nobody filled.
    pushed(&mona, &name, &image, |m| m["subject"] = json!({ "mediaType": "", "digest": "", "size": 0 })).await;
    pushed(&mona, &name, &image, |m| m["layers"][0]["urls"] = json!([])).await;
    // Where it is needed, nothing is nothing.
    for key in ["digest", "size"] {
        let mut manifest = image.manifest.clone();
        manifest["layers"][0][key] = json!(null);
        let answer = mona.put_manifest(&name, "bad", OCI_MANIFEST, &manifest.to_string()).await;
        answer.fails(400, "MANIFEST_INVALID");
    }
    for subject in [json!({ "mediaType": OCI_MANIFEST, "digest": "", "size": 0 }), json!({ "digest": "", "size": 7 })] {
        let mut manifest = image.manifest.clone();
        manifest["subject"] = subject;
        mona.put_manifest(&name, "bad", OCI_MANIFEST, &manifest.to_string()).await.is(400);
    }
    for key in ["config", "schemaVersion"] {
        let mut manifest = image.manifest.clone();
        manifest[key] = json!(null);
        let answer = mona.put_manifest(&name, "bad", OCI_MANIFEST, &manifest.to_string()).await;
        answer.fails(400, "MANIFEST_INVALID");
    }
}

async fn an_artifact_without_layers_is_taken(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let empty = mona.push_blob(&name, b"{}").await;
    let config = descriptor("application/vnd.oci.empty.v1+json", &empty, 2);
    let subject = descriptor(OCI_MANIFEST, &image.digest, image.manifest.to_string().len());
    let artifact = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.acme.mark", "config": config,
        "subject": subject, "layers": null, "annotations": null,
    });
    mona.push_manifest(&name, "mark", &artifact).await;
    let listed = mona.get(&format!("/v2/{name}/referrers/{}", image.digest)).await.is(200).json();
    assert_eq!(listed["manifests"][0]["artifactType"], "application/vnd.acme.mark");
    let nothing = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": null, "annotations": null });
    mona.push_manifest(&name, "nothing", &nothing).await;
}

async fn an_empty_artifact_type_is_as_missing(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let referrers = format!("/v2/{name}/referrers/{}", image.digest);
    let subject = descriptor(OCI_MANIFEST, &image.digest, 1);
    let refer = async |media_type: &str, change: &dyn Fn(&mut Value)| {
        let mut manifest = if media_type == OCI_INDEX {
            json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] })
        } else {
            image.manifest.clone()
        };
        manifest["subject"] = subject.clone();
        change(&mut manifest);
        let pushed = mona.push_manifest(&name, &digest(manifest.to_string()), &manifest).await;
        let all = mona.get(&referrers).await.is(200).json();
        let found = all["manifests"].as_array().expect("a list").iter().find(|one| one["digest"] == *pushed).cloned();
        found.expect("it is listed").get("artifactType").cloned()
    };
    let of_config = image.manifest["config"]["mediaType"].clone();
    for empty in [json!(""), json!(null)] {
        assert_eq!(refer(OCI_MANIFEST, &|m| m["artifactType"] = empty.clone()).await, Some(of_config.clone()));
        assert_eq!(refer(OCI_INDEX, &|m| m["artifactType"] = empty.clone()).await, None);
    }
    let filter = format!("{referrers}?artifactType={}", of_config.as_str().expect("a text"));
    assert_eq!(mona.get(&filter).await.is(200).json()["manifests"].as_array().map(Vec::len), Some(2));
}

/// A cache as BuildKit writes it with `image-manifest=false`: an index of layers and of its own config.
fn cache(layer: &[u8], config: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &digest(layer), layer.len()),
            descriptor("application/vnd.buildkit.cacheconfig.v0", &digest(config), config.len()),
        ],
    })
}

async fn with_cache(kind: Kind) -> (String, Session, Image, Vec<u8>, Vec<u8>) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let (layer, config) = (many_bytes(3_000), unique_bytes());
    for blob in [&layer, &config] {
        mona.push_blob(&name, blob).await;
    }
    mona.push_manifest(&name, "cache", &cache(&layer, &config)).await;
    (name, mona, image, layer, config)
}

async fn an_index_may_list_blobs_of_its_repository(kind: Kind) {
    let (name, mona, image, layer, config) = with_cache(kind).await;
    let stored = mona.get(&format!("/v2/{name}/manifests/cache")).await.is(200);
    assert_eq!(stored.text(), cache(&layer, &config).to_string());
    // Again, and of all kinds: manifests, blobs, one of them twice, and types that nobody knows.
    let mut mixed = cache(&layer, &config);
    let list = mixed["manifests"].as_array_mut().expect("a list");
    list.push(descriptor(OCI_MANIFEST, &image.digest, image.manifest.to_string().len()));
    list.push(descriptor("application/vnd.acme.x", &image.digest, image.manifest.to_string().len()));
    list.push(descriptor("application/vnd.acme.y", &digest(&layer), layer.len()));
    list.push(json!({ "digest": digest(&config), "size": config.len() }));
    mona.push_manifest(&name, "mixed", &mixed).await;
    mona.push_manifest(&name, "mixed", &mixed).await;
}

async fn a_blob_that_an_index_lists_stays(kind: Kind) {
    let (name, mona, _, layer, _) = with_cache(kind).await;
    let path = format!("/v2/{name}/blobs/{}", digest(&layer));
    mona.delete(&path).await.fails(405, "UNSUPPORTED");
    mona.has_blob(&name, &layer).await;
    mona.delete(&format!("/v2/{name}/manifests/{}", at(&mona, &name).await)).await.is(202);
    mona.delete(&path).await.is(202);
}

async fn at(mona: &Session, name: &str) -> String {
    let answer = mona.head(&format!("/v2/{name}/manifests/cache")).await.is(200);
    answer.header("docker-content-digest").to_owned()
}

async fn an_index_lists_nothing_that_is_not_here(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (other, _, elsewhere) = registry.with_image().await;
    assert!(!other.is_empty());
    let (name, mona, image) = registry.with_image().await;
    let layer = digest(&image.layer);
    for (media_type, absent) in [
        ("application/vnd.acme.x", unknown_digest()),
        ("application/vnd.oci.image.layer.v1.tar+gzip", digest(&elsewhere.layer)),
        ("", elsewhere.digest),
        // Whoever reads these asks for a manifest, and a blob is none.
        (OCI_MANIFEST, layer.clone()),
        (OCI_INDEX, layer),
    ] {
        let list = json!({ "schemaVersion": 2, "manifests": [descriptor(media_type, &absent, 9)] }).to_string();
        let answer = mona.put_manifest(&name, "bad", OCI_INDEX, &list).await.fails(404, "MANIFEST_BLOB_UNKNOWN");
        assert!(answer.text().contains(&absent), "{answer}");
    }
    let (foreign, absent) = ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", unknown_digest());
    let mut elsewhere = descriptor(foreign, &absent, 9);
    elsewhere["urls"] = json!(["https://example.com/layer"]);
    mona.push_manifest(
        &name,
        "foreign",
        &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [elsewhere] }),
    )
    .await;
}

async fn no_index_beside_an_image_lists_a_blob(kind: Kind) {
    let (name, mona, image, layer, config) = with_cache(kind).await;
    let tag = image.digest.replace(':', "-");
    let answer = mona.put_manifest(&name, &tag, OCI_INDEX, &cache(&layer, &config).to_string()).await;
    answer.fails(400, "MANIFEST_INVALID");
}
