//! Whatever the registry answers, a browser that is led there shows no page of ours.

use reqwest::Method;

use super::answer::Answer;
use super::content::{OCI_MANIFEST, digest};
use super::fixture::{Kind, Registry};
use super::raw;

both! {
    every_answer_of_the_registry_is_inert,
    what_is_stored_is_kept_as_a_file,
    media_types_that_a_browser_opens_are_refused,
}

#[track_caller]
fn is_inert(answer: &Answer) {
    for (name, value) in [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        let all: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert_eq!(all, [value], "{name}: {answer}");
    }
    let kind = answer.header("content-type");
    assert!(!kind.contains("html") && !kind.contains("xml"), "{answer}");
}

async fn every_answer_of_the_registry_is_inert(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let at = |rest: &str| format!("/v2/{name}/{rest}");
    let (blob, huge) = (digest(&image.layer), "a".repeat(6_000));
    let paths = [
        "/v2/".to_owned(),
        "/v2".into(),
        "/v2/_catalog".into(),
        "/v2/_catalog?n=x".into(),
        "/token".into(),
        "/token?scope=%3Cscript%3E".into(),
        "/token/x".into(),
        "/v2/nothing".into(),
        format!("/v2/{huge}/manifests/v1"),
        "/%762/x/y/manifests/v1".into(),
        "/%76%32/x/y/manifests/v1".into(),
        "//v2/x/y/manifests/v1".into(),
        "/./v2/x/y/manifests/v1".into(),
        "/x/../v2/x/y/manifests/v1".into(),
        "/x%2F..%2Fv2/x".into(),
        "/%74oken".into(),
        at("manifests/v1"),
        at(&format!("manifests/{}", image.digest)),
        at("manifests/absent"),
        at("manifests/%3Cscript%3E"),
        at(&format!("blobs/{blob}")),
        at(&format!("blobs/{}", digest("nothing"))),
        at("blobs/%3Cscript%3E"),
        at("blobs/uploads/x"),
        at("tags/list"),
        at("tags/list?n=%3Cscript%3E"),
        at(&format!("referrers/{}", image.digest)),
        at("tags/%3Cimg%20src=x%3E"),
    ];
    for path in &paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB"] {
            if method == "DELETE" && path.contains(&name) {
                continue;
            }
            for authorization in [Some(mona.authorization()), None, Some("Basic x"), Some("Bearer x")] {
                let headers = authorization.map(|value| ("Authorization", value));
                let headers: Vec<_> = headers.into_iter().chain([("Content-Length", "0")]).collect();
                is_inert(&raw::request(registry.port, method, path, &headers).await);
            }
        }
    }
    let large = at("manifests/large");
    let length = (5 << 20).to_string();
    let headers =
        [("Authorization", mona.authorization()), ("Content-Length", &length), ("Content-Type", OCI_MANIFEST)];
    is_inert(&raw::request(registry.port, "PUT", &large, &headers).await.fails(413, "MANIFEST_INVALID"));
}

async fn what_is_stored_is_kept_as_a_file(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let blob = format!("blobs/{}", digest(&image.layer));
    for path in ["manifests/v1".to_owned(), format!("manifests/{}", image.digest), blob.clone()] {
        for method in [Method::GET, Method::HEAD] {
            let answer = mona.send(method, &format!("/v2/{name}/{path}"), &[], "").await.is(200);
            assert_eq!(answer.header("content-disposition"), "attachment", "{answer}");
        }
    }
    let part = mona.send(Method::GET, &format!("/v2/{name}/{blob}"), &[("range", "bytes=0-3")], "").await.is(206);
    assert_eq!(part.header("content-disposition"), "attachment", "{part}");
}

async fn media_types_that_a_browser_opens_are_refused(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let mut silent = image.manifest.clone();
    silent.as_object_mut().expect("an object").remove("mediaType");
    let silent = silent.to_string();
    for bad in [
        "text/html",
        "TEXT/HTML",
        "text/html; charset=utf-8",
        "text/html;application/json",
        "application/json, text/html",
        "application/json,text/html",
        "application/xhtml+xml",
        "application/vnd.mozilla.xul+xml",
        "application/vnd.wap.xhtml+xml",
        "application/vnd.acme+html",
        "image/svg+xml",
        "application/javascript",
        "text/javascript",
        "application/pdf",
        "application/octet-stream",
        "application/VND.oci.image.manifest.v1+json",
        "APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON",
    ] {
        // In the header, in the body, and in both; at a tag, at the digest, and at the tags beside images.
        let own = silent.replacen('{', &format!("{{\"mediaType\":\"{bad}\","), 1);
        for (header, body) in [(bad, &silent), ("", &own), (bad, &own)] {
            let digest = digest(body);
            let beside = digest.replace(':', "-");
            for reference in ["bad", &digest, &beside, &format!("{beside}.sig")] {
                let answer = mona.put_manifest(&name, reference, header, body).await;
                answer.fails(400, "MANIFEST_INVALID");
            }
        }
    }
    let with_parameter = format!("{OCI_MANIFEST}; charset=utf-8");
    mona.put_manifest(&name, "good", &with_parameter, &silent).await.is(201);
    let answer = mona.get(&format!("/v2/{name}/manifests/good")).await.is(200);
    assert_eq!(answer.header("content-type"), OCI_MANIFEST);
    // What is refused above is nothing but the media type.
    let itself = digest(&silent).replace(':', "-");
    mona.put_manifest(&name, &itself, OCI_MANIFEST, &silent).await.is(201);
}
