//! Manifests that have to be refused, each with its reason.

use serde_json::{Value, json};

use super::content::{OCI_INDEX, OCI_MANIFEST, descriptor, digest};
use super::fixture::{Kind, Registry};
use super::session::{Image, Session};

both! {
    what_is_no_json_object_is_refused,
    what_has_two_meanings_is_refused,
    wrong_descriptors_are_refused,
    hostile_texts_are_refused_or_kept,
    tags_have_a_grammar,
    too_many_descriptors_are_refused,
    nobody_pushes_without_a_right,
}

async fn refused(mona: &Session, name: &str, media_type: &str, body: &str) {
    let answer = mona.put_manifest(name, "bad", media_type, body).await;
    let answer = answer.fails(400, "MANIFEST_INVALID");
    assert!(answer.json()["errors"][0]["message"].as_str().is_some_and(|m| m.len() > 10), "{answer}");
    mona.get(&format!("/v2/{name}/manifests/bad")).await.fails(404, "MANIFEST_UNKNOWN");
}

async fn what_is_no_json_object_is_refused(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"x\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let good = image.manifest.to_string();
    let twice = format!("{good}{good}");
    for body in ["", "null", "[]", "1", "\"x\"", "{", "\u{feff}{}", &deep, &nested, &twice, &good[..good.len() - 1]] {
        refused(&mona, &name, OCI_MANIFEST, body).await;
    }
}

async fn what_has_two_meanings_is_refused(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut manifest = image.manifest.clone();
        change(&mut manifest);
        manifest.to_string()
    };
    // CVE-2021-41190.
    refused(&mona, &name, OCI_MANIFEST, &changed(&|m| m["manifests"] = json!([]))).await;
    refused(&mona, &name, OCI_INDEX, &changed(&|m| m["mediaType"] = json!(OCI_INDEX))).await;
    refused(&mona, &name, OCI_INDEX, &changed(&|_| {})).await;
    refused(&mona, &name, "application/vnd.acme+json", &changed(&|_| {})).await;
    refused(&mona, &name, "application/vnd.acme+json", &json!({ "layers": [], "manifests": [] }).to_string()).await;
    // Clients in Go read keys of any case.
    refused(&mona, &name, OCI_MANIFEST, &changed(&|m| m["Layers"] = json!([]))).await;
    refused(&mona, &name, OCI_MANIFEST, &changed(&|m| m["MANIFESTS"] = json!([]))).await;
    refused(&mona, &name, OCI_MANIFEST, &changed(&|m| m["mediatype"] = json!(OCI_INDEX))).await;
    let twice = changed(&|_| {}).replacen('{', "{\"layers\":[],", 1);
    refused(&mona, &name, OCI_MANIFEST, &twice).await;
    // No media type at all.
    refused(&mona, &name, "", &changed(&|m| drop(m.as_object_mut().and_then(|m| m.remove("mediaType"))))).await;
    for version in [json!(1), json!(3), json!("2"), json!(null)] {
        refused(&mona, &name, OCI_MANIFEST, &changed(&|m| m["schemaVersion"] = version.clone())).await;
    }
    refused(&mona, &name, OCI_MANIFEST, &json!({ "schemaVersion": 2, "config": {}, "layers": [] }).to_string()).await;
    refused(&mona, &name, OCI_INDEX, &json!({ "schemaVersion": 2 }).to_string()).await;
}

fn with_layer(image: &Image, key: &str, value: &Value) -> String {
    let mut manifest = image.manifest.clone();
    manifest["layers"][0][key] = value.clone();
    manifest.to_string()
}

async fn wrong_descriptors_are_refused(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    for size in [json!(-1), json!(1.5), json!("1"), json!(null), json!(u64::MAX), json!([])] {
        refused(&mona, &name, OCI_MANIFEST, &with_layer(&image, "size", &size)).await;
    }
    let hex = "a".repeat(64);
    for wrong in [
        String::new(),
        "sha256:../../../../etc/passwd".into(),
        format!("sha256:{}", "A".repeat(64)),
        format!("sha512:{hex}"),
        format!("sha256:{hex}\u{0}"),
        format!("sha256:{hex}\n"),
    ] {
        let answer = mona.put_manifest(&name, "bad", OCI_MANIFEST, &with_layer(&image, "digest", &json!(wrong))).await;
        assert_eq!(answer.status, 400, "{answer}");
        let mut manifest = image.manifest.clone();
        manifest["subject"] = descriptor(OCI_MANIFEST, &wrong, 1);
        let answer = mona.put_manifest(&name, "bad", OCI_MANIFEST, &manifest.to_string()).await;
        assert_eq!(answer.status, 400, "{answer}");
        let path = format!("/v2/{name}/manifests/bad");
        mona.get(&path).await.fails(404, "MANIFEST_UNKNOWN");
    }
    refused(&mona, &name, OCI_MANIFEST, &with_layer(&image, "digest", &json!(null))).await;
    refused(&mona, &name, OCI_MANIFEST, &with_layer(&image, "digest", &json!(["sha256:x"]))).await;
    refused(&mona, &name, OCI_MANIFEST, &with_layer(&image, "platform", &json!("linux/amd64"))).await;
}

async fn hostile_texts_are_refused_or_kept(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    for text in ["\u{0}", "a\u{0}b", "'; DROP TABLE tag; --", "<script>alert(1)</script>", "\u{202e}\u{1f4a5}"] {
        let mut manifest = image.manifest.clone();
        manifest["artifactType"] = json!(text);
        manifest["layers"][0]["mediaType"] = json!(text);
        manifest["annotations"] = json!({ text: text });
        let mut platform = image.manifest.clone();
        platform["layers"][0]["platform"] = json!({ "os": text, "architecture": text, "variant": text });
        for manifest in [manifest, platform] {
            let answer = mona.put_manifest(&name, "text", OCI_MANIFEST, &manifest.to_string()).await;
            assert!(matches!(answer.status, 201 | 400), "{text:?}: {answer}");
            if answer.status == 201 {
                let stored = mona.get(&format!("/v2/{name}/manifests/text")).await.is(200);
                assert_eq!(stored.text(), manifest.to_string());
            }
        }
        let own = json!({ "mediaType": text }).to_string();
        let answer = mona.put_manifest(&name, "text", "", &own).await;
        assert!(matches!(answer.status, 201 | 400), "{text:?}: {answer}");
        let stored = mona.get(&format!("/v2/{name}/manifests/text")).await;
        assert!(matches!(stored.status, 200 | 404), "{text:?}: {stored}");
        mona.get(&format!("/v2/{name}/referrers/{}", digest(text))).await.is(200);
    }
}

async fn tags_have_a_grammar(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let body = image.manifest.to_string();
    let (longest, longer) = ("a".repeat(128), "a".repeat(129));
    for good in ["_", "V1.2-x_y", "0", "sha256-aa.sig", &longest] {
        mona.put_manifest(&name, good, OCI_MANIFEST, &body).await.is(201);
    }
    for bad in [".x", "-x", "a%20b", "a%2Cb", "a%3Db", "%22", "a%0Ab", "a%00", "%C3%BC", "%2e%2e%2f", "@", &longer] {
        mona.put_manifest(&name, bad, OCI_MANIFEST, &body).await.fails(400, "MANIFEST_INVALID");
        let answer = mona.get(&format!("/v2/{name}/manifests/{bad}")).await;
        assert!(matches!(answer.status, 400 | 404), "{answer}");
    }
}

async fn too_many_descriptors_are_refused(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let mut manifest = image.manifest.clone();
    let layer = manifest["layers"][0].clone();
    manifest["layers"] = Value::from(vec![layer.clone(); 10_001]);
    refused(&mona, &name, OCI_MANIFEST, &manifest.to_string()).await;
    manifest["layers"] = Value::from(vec![layer; 1_000]);
    mona.push_manifest(&name, "many", &manifest).await;
}

async fn nobody_pushes_without_a_right(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    Registry::server(kind).await.visibility(&name, "public").await;
    for session in [
        registry.with(None),
        registry.anonymous(&[&name]).await,
        registry.signed_in(&registry.eve, &[&name]).await,
        registry.signed_in(&registry.mona_reads, &[&name]).await,
    ] {
        for reference in ["v1", "v2", &image.digest] {
            let answer = session.put_manifest(&name, reference, OCI_MANIFEST, &image.manifest.to_string()).await;
            answer.fails(401, "UNAUTHORIZED");
            session.delete(&format!("/v2/{name}/manifests/{reference}")).await.fails(401, "UNAUTHORIZED");
        }
    }
    let tags = mona.get(&format!("/v2/{name}/tags/list")).await.is(200);
    assert_eq!(tags.json()["tags"], json!(["v1"]));
}
