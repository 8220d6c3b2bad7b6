//! What was taken back stops with the next request, however long its bearer would still be good.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use sha2::{Digest as _, Sha256};
use slipway_tests::{Postgres, Run, Server, tool};
use uuid::Uuid;

use super::answer::Answer;
use super::fixture::{Kind, Registry, own};

both! {
    a_private_repository_stops_being_public_at_once,
    a_disabled_person_stops_at_once,
    a_revoked_token_stops_at_once,
    an_expired_token_stops_at_once,
}

async fn a_private_repository_stops_being_public_at_once(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let server = Registry::server(kind).await;
    let blob = super::content::digest(&image.layer);
    let paths = ["manifests/v1".to_owned(), format!("blobs/{blob}"), "tags/list".into()];
    server.visibility(&name, "public").await;
    let strangers =
        [registry.with(None), registry.anonymous(&[&name]).await, registry.signed_in(&registry.eve, &[&name]).await];
    for _ in 0..2 {
        server.visibility(&name, "public").await;
        for (session, path) in strangers.iter().flat_map(|s| paths.iter().map(move |p| (s, p))) {
            session.get(&format!("/v2/{name}/{path}")).await.is(200);
        }
        server.visibility(&name, "private").await;
        for (session, path) in strangers.iter().flat_map(|s| paths.iter().map(move |p| (s, p))) {
            let answer = session.get(&format!("/v2/{name}/{path}")).await;
            assert!(matches!(answer.code().as_str(), "UNAUTHORIZED" | "NAME_UNKNOWN"), "{answer}");
            mona.get(&format!("/v2/{name}/{path}")).await.is(200);
        }
    }
}

async fn a_disabled_person_stops_at_once(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder).await;
    let (name, mona, _) = registry.with_image().await;
    server.admin(&["user", "disable", "mona"]).await;
    stopped(&mona, &name).await;
    server.admin(&["user", "enable", "mona"]).await;
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
}

async fn stopped(session: &super::session::Session, name: &str) {
    session.get("/v2/").await.fails(401, "UNAUTHORIZED");
    session.get(&format!("/v2/{name}/manifests/v1")).await.fails(401, "UNAUTHORIZED");
    session.post(&format!("/v2/{name}/blobs/uploads/")).await.fails(401, "UNAUTHORIZED");
    session.delete(&format!("/v2/{name}/manifests/v1")).await.fails(401, "UNAUTHORIZED");
}

async fn a_revoked_token_stops_at_once(kind: Kind) {
    let (server, registry, database) = with_database(kind).await;
    let (name, mona, _) = registry.with_image().await;
    let second = server.token("mona", "read,write").await;
    let by_second = registry.signed_in(&second, &[&name]).await;
    let upload = by_second.start(&name).await;
    // A browser session of Mona's, as a sign-in would make it.
    let cookie = Uuid::new_v4().simple().to_string();
    let hash = hex::encode(Sha256::digest(&cookie));
    let (now, later) = (millis(), millis() + 60_000);
    let id = if kind == Kind::Sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let statement = format!(
        "INSERT INTO session (id, hash, user_id, created_at, seen_at, expires_at) \
         SELECT {id}, '{hash}', id, {now}, {now}, {later} FROM \"user\" WHERE name = 'mona'"
    );
    query(kind, &database, &statement).await;
    let newest = "SELECT id FROM token WHERE user_id = (SELECT id FROM \"user\" WHERE name = 'mona') \
                  ORDER BY created_at DESC LIMIT 1";
    let newest = if kind == Kind::Sqlite { newest.replacen("id", "lower(hex(id))", 1) } else { newest.to_owned() };
    let token = query(kind, &database, &newest).await;
    let token = Uuid::parse_str(token.trim()).expect("a token has an id");
    let revoke = registry
        .request(Method::POST, &format!("/settings/tokens/{token}/revoke"), None)
        .header("cookie", format!("slipway-session-{}={cookie}", registry.port))
        .header("sec-fetch-site", "same-origin");
    let answer = Answer::read("revoke".into(), revoke.send().await.expect("the server answers")).await;
    assert!(matches!(answer.status, 200 | 303), "{answer}");

    stopped(&by_second, &name).await;
    by_second.patch(&upload, None, "x").await.fails(401, "UNAUTHORIZED");
    registry.ask_token(Some(&second), &[]).await.fails(401, "UNAUTHORIZED");
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
}

async fn an_expired_token_stops_at_once(kind: Kind) {
    let (_server, registry, database) = with_database(kind).await;
    let (name, mona, _) = registry.with_image().await;
    query(kind, &database, &format!("UPDATE token SET expires_at = {}", millis() - 1)).await;
    stopped(&mona, &name).await;
    registry.ask_token(Some(&registry.mona), &[]).await.fails(401, "UNAUTHORIZED");
}

/// A server whose database the test can ask.
async fn with_database(kind: Kind) -> (Server, Registry, String) {
    if kind == Kind::Sqlite {
        let (server, registry) = own(kind, |builder| builder).await;
        let file = server.data_dir().join("slipway.db").to_string_lossy().into_owned();
        return (server, registry, file);
    }
    let url = Postgres::database().await;
    let (server, registry) = own(Kind::Sqlite, |builder| builder.database(&url)).await;
    (server, registry, url)
}

async fn query(kind: Kind, database: &str, statement: &str) -> String {
    match kind {
        Kind::Postgres => Postgres::query(database, statement).await,
        Kind::Sqlite => {
            let run = Run::new(tool("sqlite3")).args(["-cmd", ".timeout 5000", database, statement]);
            run.output().await.ok().text().to_owned()
        }
    }
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis()
}
