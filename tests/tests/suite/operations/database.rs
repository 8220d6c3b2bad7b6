//! A server whose PostgreSQL goes away and comes back.

use std::time::Duration;

use slipway_forge::ForgeConfig;
use slipway_tests::{Client, Postgres, Server, Stage};
use tokio::time::sleep;

/// Shuts everybody out of a database, or lets them in again.
async fn allow(database: &str, allowed: bool) {
    let (cluster, name) = database.rsplit_once('/').expect("a URL ends with the database");
    let other = format!("{cluster}/postgres");
    Postgres::query(&other, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")).await;
    let end = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'");
    Postgres::query(&other, &end).await;
}

#[tokio::test]
async fn without_its_database_a_server_is_not_ready_and_says_what_is_away() {
    let database = Postgres::database().await;
    let server = Server::builder().database(&database).start().await;
    let http = server.http().timeout(Duration::from_secs(10)).build().expect("a client");
    allow(&database, false).await;
    let answer = http.get(server.url("/readyz")).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    let said: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(said["status"], "not ready", "{said}");
    assert_eq!(said["database"], "PostgreSQL does not answer", "{said}");
    let alive = http.get(server.url("/healthz")).send().await.expect("an answer");
    assert!(alive.status().is_success(), "the process lives");

    allow(&database, true).await;
    // Connections that broke are found out one by one.
    for _ in 0..100 {
        let answer = http.get(server.url("/readyz")).send().await.expect("an answer");
        if answer.status().is_success() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("it is not ready again by itself: {}", server.log());
}

#[tokio::test]
async fn the_whole_way_from_import_to_pull_works_on_postgres() {
    let database = Postgres::database().await;
    let stage = Stage::with(ForgeConfig::default(), |server| server.database(&database)).await;
    let repo = stage.repository("elephant", "CMD [\"echo\", \"never forgets\"]\n");
    let project = stage.import(&repo).await;
    let build = project.built(1).await;
    build.page.assert_says("signature: verified");
    stage.server.visibility(&project.name, "public").await;
    let digest = Client::crane().run(&["digest", &project.image("main")]).await.ok();
    assert_eq!(Some(digest.text()), project.digest("main").await.as_deref());
    let layers = Client::crane().run(&["export", &project.image("main"), "/dev/null"]).await;
    layers.ok();
    assert_eq!(Postgres::query(&database, "SELECT count(*) FROM build WHERE state = 'succeeded'").await, "1");
}
