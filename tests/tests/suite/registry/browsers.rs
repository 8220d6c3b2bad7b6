//! What programs in a browser, and those that ask before they act, need: `HEAD`, `OPTIONS`, and leave to read answers.

use reqwest::Method;
use serde_json::json;

use super::content::{OCI_MANIFEST, descriptor, digest};
use super::fixture::{Kind, Registry, own};

both! {
    head_answers_what_get_would,
    options_names_the_methods_of_an_address,
    a_plus_in_a_media_type_is_a_plus,
    any_range_of_nothing_is_all_of_it,
    a_plain_answer_is_given_though_it_is_forbidden,
    parameters_of_others_may_come_twice,
}

async fn head_answers_what_get_would(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let upload = mona.start(&name).await;
    for path in [
        "/v2/".to_owned(),
        "/v2/_catalog".into(),
        "/token".into(),
        upload,
        format!("/v2/{name}/tags/list"),
        format!("/v2/{name}/tags/list?n=x"),
        format!("/v2/{name}/referrers/{}", image.digest),
        format!("/v2/{name}/manifests/v1"),
        format!("/v2/{name}/manifests/absent"),
        format!("/v2/{name}/blobs/{}", digest(&image.layer)),
        "/v2/nothing".into(),
    ] {
        let (get, head) = (mona.get(&path).await, mona.head(&path).await);
        assert_eq!(head.status, get.status, "{head}");
        assert!(head.body.is_empty(), "{head}");
        for name in ["content-type", "content-length", "docker-content-digest", "link", "location", "range"] {
            // The issue of a token changes with the second.
            if name != "content-length" || path != "/token" {
                assert_eq!(head.header(name), get.header(name), "{name}: {head}");
            }
        }
    }
}

async fn options_names_the_methods_of_an_address(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, _, image) = registry.with_image().await;
    let blob = digest(&image.layer);
    for (path, expected) in [
        ("/v2/".to_owned(), "GET, HEAD, OPTIONS"),
        ("/token".into(), "GET, HEAD, POST, OPTIONS"),
        ("/v2/_catalog".into(), "GET, HEAD, OPTIONS"),
        (format!("/v2/{name}/tags/list"), "GET, HEAD, OPTIONS"),
        (format!("/v2/{name}/referrers/{}", image.digest), "GET, HEAD, OPTIONS"),
        (format!("/v2/{name}/manifests/v1"), "GET, HEAD, PUT, DELETE, OPTIONS"),
        (format!("/v2/{name}/blobs/{blob}"), "GET, HEAD, DELETE, OPTIONS"),
        (format!("/v2/{name}/blobs/uploads/"), "POST, OPTIONS"),
        (format!("/v2/{name}/blobs/uploads/x"), "GET, HEAD, PATCH, PUT, DELETE, OPTIONS"),
        // Whether something is there is not said.
        ("/v2/mona/absent/manifests/v1".into(), "GET, HEAD, PUT, DELETE, OPTIONS"),
    ] {
        let answer = registry.with(None).send(Method::OPTIONS, &path, &[], "").await.is(204);
        assert_eq!(answer.header("allow"), expected, "{answer}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{answer}");
        let wrong = registry.with(None).send(Method::TRACE, &path, &[], "").await.fails(405, "UNSUPPORTED");
        assert_eq!(format!("{}, OPTIONS", wrong.header("allow")), expected, "{wrong}");
        if !expected.contains("DELETE") {
            let wrong = registry.with(None).send(Method::DELETE, &path, &[], "").await.fails(405, "UNSUPPORTED");
            assert_eq!(format!("{}, OPTIONS", wrong.header("allow")), expected, "{wrong}");
            assert_eq!(wrong.headers.get_all("allow").iter().count(), 1, "{wrong}");
        }
    }
    registry.with(None).send(Method::OPTIONS, "/v2/nothing", &[], "").await.fails(404, "NAME_UNKNOWN");
}

async fn a_plus_in_a_media_type_is_a_plus(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let mut sbom = image.manifest.clone();
    sbom["artifactType"] = json!("application/spdx+json");
    sbom["subject"] = descriptor(OCI_MANIFEST, &image.digest, 1);
    let sbom = mona.push_manifest(&name, &digest(sbom.to_string()), &sbom).await;
    for (asked, number) in [
        ("application/spdx+json", 1),
        ("application/spdx%2Bjson", 1),
        ("application%2Fspdx%2bjson", 1),
        ("application/spdx%20json", 0),
        ("application/spdx", 0),
    ] {
        let path = format!("/v2/{name}/referrers/{}?artifactType={asked}", image.digest);
        let answer = mona.get(&path).await.is(200);
        let found = answer.json()["manifests"].as_array().cloned().expect("a list");
        assert_eq!(found.len(), number, "{asked}: {answer}");
        assert!(found.iter().all(|one| one["digest"] == *sbom), "{answer}");
    }
}

async fn any_range_of_nothing_is_all_of_it(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    let path = format!("/v2/{name}/blobs/{}", mona.push_blob(&name, b"").await);
    for range in ["bytes=0-", "bytes=0-0", "bytes=0-1048575", "bytes=-1", "bytes=7-"] {
        let answer = mona.send(Method::GET, &path, &[("range", range)], "").await.is(200);
        assert_eq!((answer.header("content-length"), answer.body.len()), ("0", 0), "{answer}");
    }
    let head = mona.send(Method::HEAD, &path, &[("range", "bytes=0-")], "").await.is(200);
    assert_eq!(head.header("content-length"), "0");
}

async fn a_plain_answer_is_given_though_it_is_forbidden(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let blob = format!("/v2/{name}/blobs/{}", digest(&image.layer));
    for asked in ["identity;q=0", "*;q=0", "gzip, identity;q=0", "br;q=1.0, *; q=0"] {
        for path in [&blob, &format!("/v2/{name}/manifests/v1"), &format!("/v2/{name}/tags/list")] {
            mona.send(Method::GET, path, &[("accept-encoding", asked)], "").await.is(200);
        }
        mona.send(Method::GET, &blob, &[("accept-encoding", asked), ("range", "bytes=0-0")], "").await.is(206);
    }
}

async fn parameters_of_others_may_come_twice(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    for query in ["foo=1&foo=2", "ns=docker.io&ns=x&n=1"] {
        mona.get(&format!("/v2/{name}/tags/list?{query}")).await.is(200);
    }
    mona.get(&format!("/v2/{name}/tags/list?n=1&n=2")).await.fails(400, "UNSUPPORTED");
}

const UI: &str = "https://ui.example.com";

#[tokio::test]
async fn sites_that_the_operator_names_may_read_the_registry() {
    let origins = format!("{UI},http://localhost:3000/");
    let (_server, registry) = own(Kind::Sqlite, |builder| builder.env("SLIPWAY_REGISTRY_CORS_ORIGINS", &origins)).await;
    let (name, mona, _) = registry.with_image().await;
    let manifest = format!("/v2/{name}/manifests/v1");
    let ask = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        registry.with(None).send(method, path, headers, "").await
    };
    for path in [&*manifest, "/token", "/v2/"] {
        let headers = [
            ("origin", UI),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization"),
        ];
        let answer = ask(Method::OPTIONS, path, &headers).await.is(204);
        assert_eq!(answer.header("access-control-allow-origin"), UI, "{answer}");
        assert!(answer.header("access-control-allow-methods").contains("GET, HEAD"), "{answer}");
        assert!(answer.header("access-control-allow-headers").contains("Authorization"), "{answer}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{answer}");
    }
    // Refusals, too: they say where the token is had.
    let refused = ask(Method::GET, &manifest, &[("origin", UI)]).await.fails(401, "UNAUTHORIZED");
    assert_eq!(refused.header("access-control-allow-origin"), UI, "{refused}");
    assert!(refused.header("access-control-expose-headers").contains("WWW-Authenticate"), "{refused}");
    let read = mona.send(Method::GET, &manifest, &[("origin", "http://localhost:3000")], "").await.is(200);
    assert_eq!(read.header("access-control-allow-origin"), "http://localhost:3000", "{read}");
    assert!(read.headers.get_all("vary").iter().any(|v| v == "Origin"), "{read}");
    for other in
        ["https://evil.example.com", "https://ui.example.com.evil.example", "http://ui.example.com", "null", ""]
    {
        for method in [Method::GET, Method::OPTIONS] {
            let headers = [("origin", other), ("access-control-request-method", "GET")];
            let answer = mona.send(method, &manifest, &headers, "").await;
            assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{answer}");
        }
    }
    // Pages and the builders' interface are for nobody else.
    for path in ["/login", "/builder/v1/claim", "/healthz"] {
        let answer = ask(Method::GET, path, &[("origin", UI)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{answer}");
    }
}

#[tokio::test]
async fn no_site_may_read_the_registry_unless_it_is_named() {
    let registry = Registry::on(Kind::Sqlite).await;
    let (name, mona, _) = registry.with_image().await;
    for method in [Method::GET, Method::OPTIONS] {
        let headers = [("origin", UI), ("access-control-request-method", "GET")];
        let answer = mona.send(method, &format!("/v2/{name}/manifests/v1"), &headers, "").await;
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{answer}");
    }
}
