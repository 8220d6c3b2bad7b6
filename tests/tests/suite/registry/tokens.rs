//! How clients learn where to sign in, and what the token endpoint gives them.

use reqwest::Method;
use serde_json::{Value, json};
use slipway_tests::{Run, tool};

use super::answer::Answer;
use super::fixture::{Kind, Registry, own};

both! {
    the_registry_asks_for_a_sign_in,
    a_bearer_opens_the_registry,
    a_challenge_names_what_is_needed,
    a_bearer_holds_what_was_asked_and_is_allowed,
    a_repository_that_is_not_there_can_be_pushed_by_its_owner,
    everybody_may_pull_what_is_public,
    scopes_come_in_one_parameter_or_in_many,
    strange_scopes_grant_nothing,
    the_oauth2_form_gives_the_same,
    wrong_credentials_are_refused,
    a_disabled_person_gets_no_bearer,
}

async fn the_registry_asks_for_a_sign_in(kind: Kind) {
    let registry = Registry::on(kind).await;
    for path in ["/v2/", "/v2"] {
        let answer = registry.with(None).get(path).await.fails(401, "UNAUTHORIZED");
        let expected = format!("Bearer realm=\"{}/token\",service=\"{}\"", registry.url, registry.host);
        assert_eq!(answer.header("www-authenticate"), expected);
    }
}

async fn a_bearer_opens_the_registry(kind: Kind) {
    let registry = Registry::on(kind).await;
    for password in [None, Some(registry.mona.as_str())] {
        let session = registry.with(Some(&registry.bearer(password, &[]).await));
        let answer = session.get("/v2/").await.is(200);
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
        session.head("/v2/").await.is(200);
    }
}

async fn a_challenge_names_what_is_needed(kind: Kind) {
    let registry = Registry::on(kind).await;
    let nobody = registry.with(None);
    for (method, path, actions) in [
        (Method::GET, "manifests/latest", "pull"),
        (Method::HEAD, "manifests/latest", "pull"),
        (Method::PUT, "manifests/latest", "pull,push"),
        (Method::POST, "blobs/uploads/", "pull,push"),
        (Method::DELETE, "manifests/latest", "delete"),
    ] {
        let answer = nobody.send(method, &format!("/v2/mona/web/api/{path}"), &[], "").await.is(401);
        let scope = format!(",scope=\"repository:mona/web/api:{actions}\"");
        assert!(answer.header("www-authenticate").ends_with(&scope), "{answer}");
    }
}

async fn a_bearer_holds_what_was_asked_and_is_allowed(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, ..) = registry.with_image().await;
    let scope = |actions: &str| format!("repository:{name}:{actions}");
    let access = |actions: &[&str]| json!([{ "name": name, "actions": actions }]);
    let (mona, reads, eve) = (Some(registry.mona.as_str()), Some(registry.mona_reads.as_str()), Some(&*registry.eve));
    for (who, asked, granted) in [
        (mona, "pull", access(&["pull"])),
        (mona, "push", access(&["push"])),
        (mona, "push,pull", access(&["pull", "push"])),
        (mona, "*", access(&["pull", "push", "delete"])),
        (mona, "pull,explode", access(&["pull"])),
        (mona, "explode", json!([])),
        (reads, "pull,push,delete", access(&["pull"])),
        (reads, "push", json!([])),
        (eve, "pull,push,delete", json!([])),
        (None, "pull,push,delete", json!([])),
    ] {
        assert_eq!(registry.granted(who, &[&scope(asked)]).await, granted, "{asked}");
    }
}

async fn a_repository_that_is_not_there_can_be_pushed_by_its_owner(kind: Kind) {
    let registry = Registry::on(kind).await;
    let name = registry.repository();
    let scope = format!("repository:{name}:pull,push");
    let granted = registry.granted(Some(&registry.mona), &[&scope]).await;
    assert_eq!(granted, json!([{ "name": name, "actions": ["pull", "push"] }]));
    assert_eq!(registry.granted(Some(&registry.eve), &[&scope]).await, json!([]));
    assert_eq!(registry.granted(None, &[&scope]).await, json!([]));
}

async fn everybody_may_pull_what_is_public(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, ..) = registry.with_image().await;
    Registry::server(kind).await.visibility(&name, "public").await;
    let scope = format!("repository:{name}:pull,push,delete");
    for who in [None, Some(registry.eve.as_str())] {
        assert_eq!(registry.granted(who, &[&scope]).await, json!([{ "name": name, "actions": ["pull"] }]));
    }
    registry.with(None).get(&format!("/v2/{name}/manifests/v1")).await.is(200);
}

async fn scopes_come_in_one_parameter_or_in_many(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (one, two) = (registry.repository(), registry.repository());
    let scopes = [one, two].map(|name| format!("repository:{name}:push"));
    let [first, second] = &scopes;
    let apart = registry.granted(Some(&registry.mona), &[first, second]).await;
    let together = registry.granted(Some(&registry.mona), &[&format!("{first} {second}")]).await;
    assert_eq!(apart.as_array().map(Vec::len), Some(2));
    assert_eq!(apart, together);
}

async fn strange_scopes_grant_nothing(kind: Kind) {
    let registry = Registry::on(kind).await;
    for scope in [
        "",
        "*",
        "repository",
        "repository:",
        "repository::pull",
        "repository:mona:pull",
        "repository:*:*",
        "repository:mona/*:pull",
        "repository:MONA/web:push",
        "repository:mona//web:push",
        "repository:mona/../eve/web:push",
        "repository:mona%2Fweb:push",
        "registry:catalog:*",
        "repository():mona/web:push",
        "repository:v2/web:push",
        "repository:buildcache/web:pull,push",
        "repository:mona/web\0:push",
    ] {
        assert_eq!(registry.granted(Some(&registry.mona), &[scope]).await, json!([]), "{scope:?}");
    }
}

async fn form(registry: &Registry, fields: &[(&str, &str)]) -> Answer {
    let request = registry.request(Method::POST, "/token", None).form(&fields);
    Answer::read(format!("POST /token {fields:?}"), request.send().await.expect("the server answers")).await
}

async fn the_oauth2_form_gives_the_same(kind: Kind) {
    let registry = Registry::on(kind).await;
    let name = registry.repository();
    let scope = format!("repository:{name}:pull,push");
    let mut fields = vec![("grant_type", "password"), ("service", &*registry.host), ("client_id", "containerd")];
    fields.extend([("username", "mona"), ("password", &*registry.mona), ("scope", &*scope)]);
    let answer = form(&registry, &fields).await.is(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let token: Value = answer.json();
    assert_eq!((&token["token"], &token["expires_in"]), (&token["access_token"], &json!(300)));
    let session = registry.with(token["access_token"].as_str());
    session.push_image(&name, "v1").await;

    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("service", "s"), ("client_id", "c")];
    form(&registry, &refresh).await.fails(401, "UNAUTHORIZED");
    assert_eq!(form(&registry, &[("scope", "x")]).await.status, 400);
    form(&registry, &[("grant_type", "password"), ("password", "slp_wrong")]).await.fails(401, "UNAUTHORIZED");
}

async fn wrong_credentials_are_refused(kind: Kind) {
    let registry = Registry::on(kind).await;
    let bearer = registry.bearer(Some(&registry.mona), &[]).await;
    for password in ["", "slp_wrong", "sla_wrong", &bearer, &registry.mona.to_uppercase()] {
        let answer = registry.ask_token(Some(password), &[]).await.fails(401, "UNAUTHORIZED");
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer}");
        assert!(password.is_empty() || !answer.text().contains(password), "{answer}");
    }
    for header in ["Basic !", "Basic bm8tY29sb24=", "Basic", "Bearer x", "x", "Basic /w=="] {
        let request = registry.request(Method::GET, "/token", Some(header));
        let answer = Answer::read(header.into(), request.send().await.expect("the server answers")).await;
        answer.fails(401, "UNAUTHORIZED");
    }
}

async fn a_disabled_person_gets_no_bearer(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder).await;
    let bearer = registry.bearer(Some(&registry.eve), &[]).await;
    server.admin(&["user", "disable", "eve"]).await;
    registry.ask_token(Some(&registry.eve), &[]).await.fails(401, "UNAUTHORIZED");
    registry.with(Some(&bearer)).get("/v2/").await.fails(401, "UNAUTHORIZED");
    server.admin(&["user", "enable", "eve"]).await;
    registry.with(Some(&bearer)).get("/v2/").await.is(200);
}

#[tokio::test]
async fn asking_for_a_token_writes_nothing() {
    let (server, registry) = own(Kind::Sqlite, |builder| builder).await;
    let rows = async || {
        let count = "SELECT (SELECT count(*) FROM namespace), (SELECT count(*) FROM repository), \
            (SELECT count(*) FROM upload), (SELECT count(*) FROM event)";
        let database = server.data_dir().join("slipway.db");
        let run = Run::new(tool("sqlite3")).args(["-cmd", ".timeout 10000", &database.to_string_lossy(), count]);
        run.output().await.ok().text().to_owned()
    };
    let before = rows().await;
    for who in [None, Some(registry.eve.as_str()), Some(registry.mona.as_str())] {
        for name in ["buildcache/x", "mona/new", "nobody/new", "library/new"] {
            let scope = format!("repository:{name}:pull,push,delete");
            registry.granted(who, &[&scope]).await;
            // Nor does a push that is refused.
            let session = registry.with(Some(&registry.bearer(who, &[&scope]).await));
            if !(name == "mona/new" && who == Some(registry.mona.as_str())) {
                let status = session.post(&format!("/v2/{name}/blobs/uploads/")).await.status;
                assert!([400, 401, 403, 404].contains(&status), "{name} {status}");
            }
        }
    }
    assert_eq!(rows().await, before);
    registry.mona(&["mona/new"]).await.push_image("mona/new", "v1").await;
    assert_ne!(rows().await, before, "only the push does");
}
