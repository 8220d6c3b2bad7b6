//! Repositories that are not there: who would see them is told so, and is not asked for another password.

use reqwest::Method;
use serde_json::json;

use super::content::{OCI_INDEX, OCI_MANIFEST, unknown_digest};
use super::fixture::{Kind, Registry, own};

both! {
    who_may_create_a_repository_is_told_that_it_is_not_there,
    who_only_reads_in_a_namespace_is_told_so_too,
    strangers_are_asked_who_they_are,
    what_a_first_push_has_begun_is_not_there_for_readers,
}

/// Every way to ask for something of a repository, and the scope that clients then ask for.
fn questions(name: &str) -> Vec<(Method, String, &'static str)> {
    let digest = unknown_digest();
    let at = |rest: &str| format!("/v2/{name}/{rest}");
    vec![
        (Method::GET, at("tags/list"), "pull"),
        (Method::HEAD, at("tags/list"), "pull"),
        (Method::GET, at("manifests/v1"), "pull"),
        (Method::HEAD, at("manifests/v1"), "pull"),
        (Method::GET, at(&format!("manifests/{digest}")), "pull"),
        (Method::GET, at(&format!("blobs/{digest}")), "pull"),
        (Method::HEAD, at(&format!("blobs/{digest}")), "pull"),
        (Method::DELETE, at("manifests/v1"), "delete"),
        (Method::DELETE, at(&format!("blobs/{digest}")), "delete"),
    ]
}

async fn who_may_create_a_repository_is_told_that_it_is_not_there(kind: Kind) {
    let registry = Registry::on(kind).await;
    let name = registry.repository();
    for (method, path, scope) in questions(&name) {
        let scope = format!("repository:{name}:{scope}");
        let mona = registry.with(Some(&registry.bearer(Some(&registry.mona), &[&scope]).await));
        let answer = mona.send(method.clone(), &path, &[], "").await.is(404);
        if method != Method::HEAD {
            answer.fails(404, "NAME_UNKNOWN");
        }
    }
    // The list of referrers is never a 404: clients would take the registry for one that has none.
    let mona = registry.mona(&[&name]).await;
    let path = format!("/v2/{name}/referrers/{}", unknown_digest());
    for path in [&path, &format!("{path}?artifactType=application/x")] {
        let answer = mona.get(path).await.is(200);
        assert_eq!((answer.header("content-type"), &answer.json()["manifests"]), (OCI_INDEX, &json!([])));
    }
    let scopes = [&format!("repository:{name}:pull,push,delete")[..]];
    let granted = registry.granted(Some(&registry.mona), &scopes).await;
    assert_eq!(granted, json!([{ "name": name, "actions": ["pull", "push", "delete"] }]));
}

async fn who_only_reads_in_a_namespace_is_told_so_too(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder).await;
    server.admin(&["grant", "mona", "--user", "eve", "--role", "reader"]).await;
    let name = registry.repository();
    for password in [&registry.eve, &registry.mona_reads] {
        let session = registry.signed_in(password, &[&name]).await;
        for (method, path, scope) in questions(&name) {
            let expected = if scope == "pull" { 404 } else { 401 };
            session.send(method, &path, &[], "").await.is(expected);
        }
        session.put_manifest(&name, "v1", OCI_MANIFEST, "{}").await.fails(401, "UNAUTHORIZED");
    }
}

async fn strangers_are_asked_who_they_are(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (private, ..) = registry.with_image().await;
    let absent = registry.repository();
    let nobodys = absent.replace("mona/", "none/");
    for name in [&private, &absent, &nobodys] {
        for password in [None, Some(registry.eve.as_str())] {
            for actions in ["pull", "push", "pull,push,delete", "*"] {
                let granted = registry.granted(password, &[&format!("repository:{name}:{actions}")]).await;
                assert_eq!(granted, json!([]), "{name} {actions}");
            }
            let scope = format!("repository:{name}:pull");
            let session = registry.with(Some(&registry.bearer(password, &[&scope]).await));
            session.get(&format!("/v2/{name}/referrers/{}", unknown_digest())).await.is(401);
            for (method, path, _) in questions(name) {
                session.send(method, &path, &[], "").await.is(401);
            }
        }
    }
}

async fn what_a_first_push_has_begun_is_not_there_for_readers(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder).await;
    server.admin(&["grant", "mona", "--user", "eve", "--role", "reader"]).await;
    let (begun, mona) = registry.new_repository().await;
    let blob = mona.push_blob(&begun, b"early").await;
    let absent = registry.repository();
    for (name, path) in [(&begun, format!("blobs/{blob}")), (&absent, format!("blobs/{blob}"))] {
        let scope = format!("repository:{name}:pull");
        let eve = registry.with(Some(&registry.bearer(Some(&registry.eve), &[&scope]).await));
        eve.get(&format!("/v2/{name}/{path}")).await.fails(404, "NAME_UNKNOWN");
        eve.get(&format!("/v2/{name}/tags/list")).await.fails(404, "NAME_UNKNOWN");
    }
}
