//! Names of repositories as no client would write them.

use super::content::{OCI_MANIFEST, digest};
use super::fixture::{Kind, Registry};
use super::raw;

both! {
    names_have_a_grammar,
    reserved_names_cannot_be_pushed_to,
    names_that_are_nobodys_cannot_be_pushed_to,
    unknown_paths_and_methods_are_answered_as_the_registry_does,
}

async fn names_have_a_grammar(kind: Kind) {
    let registry = Registry::on(kind).await;
    let mona = registry.mona(&["mona/web"]).await;
    let long = format!("mona/{}", "a".repeat(251));
    for name in [
        "mona",
        "Mona/web",
        "mona/Web",
        "mona//web",
        "/mona/web",
        "mona/web/",
        "mona/../eve/web",
        "mona/%2e%2e/eve/web",
        "mona/%2E%2E",
        "mona/.",
        "mona%2Fweb",
        "mona%2fweb",
        "mona/web%2F..%2F..%2Fetc",
        "mona/web%5C..%5C",
        "mona/w%20b",
        "mona/web%00",
        "mona/web%0A",
        "mona/w%C3%BCb",
        "mona/%ff",
        "mona/-",
        "mona/a___b",
        "mona/a..b",
        "mona/-a",
        "mona/a-",
        "mona/web:v1",
        "mona/web;x",
        "mona/*",
        "m*/web",
        &long,
    ] {
        for (method, rest) in [
            ("GET", "manifests/v1".to_owned()),
            ("GET", "tags/list".into()),
            ("GET", format!("blobs/{}", digest("x"))),
            ("GET", format!("referrers/{}", digest("x"))),
            ("POST", "blobs/uploads/".into()),
            ("PUT", "manifests/v1".into()),
            ("DELETE", "manifests/v1".into()),
        ] {
            let headers = [("Authorization", mona.authorization()), ("Content-Type", OCI_MANIFEST)];
            let headers = [&headers[..], &[("Content-Length", "0")]].concat();
            let answer = raw::request(registry.port, method, &format!("/v2/{name}/{rest}"), &headers).await;
            answer.fails(400, "NAME_INVALID");
        }
    }
}

async fn reserved_names_cannot_be_pushed_to(kind: Kind) {
    let registry = Registry::on(kind).await;
    for name in ["settings/web", "v2/web", "login/web", "library/debian"] {
        let mona = registry.mona(&[name]).await;
        let answer = mona.post(&format!("/v2/{name}/blobs/uploads/")).await.fails(400, "NAME_INVALID");
        assert!(answer.text().contains("reserved"), "{answer}");
    }
    // The namespace of build caches is there, and not for people.
    let mona = registry.mona(&["buildcache/web"]).await;
    mona.post("/v2/buildcache/web/blobs/uploads/").await.fails(401, "UNAUTHORIZED");
}

async fn names_that_are_nobodys_cannot_be_pushed_to(kind: Kind) {
    let registry = Registry::on(kind).await;
    let eves = registry.repository().replace("mona/", "eve/");
    let nobodys = registry.repository().replace("mona/", "nobody/");
    for name in [eves, nobodys] {
        let mona = registry.mona(&[&name]).await;
        let answer = mona.post(&format!("/v2/{name}/blobs/uploads/")).await.fails(401, "UNAUTHORIZED");
        assert!(answer.text().contains(&name), "{answer}");
    }
}

async fn unknown_paths_and_methods_are_answered_as_the_registry_does(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, _) = registry.with_image().await;
    for path in ["/v2/x", "/v2/mona/web/-/settings", "/v2/mona/web/images/v1", "/v2/_catalogs", "/v2/-/x"] {
        let answer = mona.get(path).await;
        assert!(matches!(answer.status, 400 | 404), "{answer}");
        assert!(!answer.code().is_empty(), "{answer}");
    }
    for (method, path) in [
        ("POST", "tags/list"),
        ("PATCH", "manifests/v1"),
        ("PUT", "blobs/uploads/"),
        ("BREW", "manifests/v1"),
        ("POST", "referrers/x"),
    ] {
        let headers = [("Authorization", mona.authorization()), ("Content-Length", "0")];
        let answer = raw::request(registry.port, method, &format!("/v2/{name}/{path}"), &headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "UNSUPPORTED"), "{answer}");
    }
}
