//! Code repositories that are renamed, replaced or deleted while a build of theirs runs.

use super::*;
use crate::builds::source;
use crate::db::ConnectionState;
use crate::error::{Error, ForgeError};
use crate::forge::git::{Answer, Question};
use crate::secrets::{Place, Secret};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use slipway_forge::{Forge, ForgeConfig, Repo};

crate::testing::on_postgres! {
    a_source_is_read_where_it_is_now_and_not_what_took_its_name,
    objects_are_asked_for_where_the_source_is_a_minute_later_too,
    a_source_that_is_gone_is_refused_though_another_took_its_name,
    an_api_that_is_away_or_asks_to_wait_ends_no_build,
    a_passage_that_hears_that_code_is_private_notes_it,
}

/// A build of `mona/web` that runs.
struct Running {
    forge: Forge,
    code: Repo,
    scene: Scene,
    attempt: rows::Attempt,
}

impl Running {
    async fn start(is_private: bool) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let forge = Forge::start(ForgeConfig::default());
        forge.person("mona");
        let code = forge.repository("mona", "web", is_private);
        code.commit("main", &[("Dockerfile", "FROM scratch\n")], "Say hello");
        let (url, id, secret) = (forge.url(), forge.client_id(), forge.client_secret());
        let app = TestApp::start_with(&format!(
            "[github]\nurl = \"{url}\"\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n"
        ))
        .await;
        let connection_id = Some(connect(&app, &forge).await);
        let mut scene = Scene { app, repositories: Vec::new() };
        let (remote_id, clone_url) = (code.id().to_string(), code.clone_url());
        let of_mona = |namespace_id| {
            let row = source(namespace_id, &forge.url());
            rows::Source { connection_id, remote_id, clone_url, is_private, ..row }
        };
        scene.add_source("mona", of_mona).await;
        scene.queue(1).await;
        let assignment = scene.claim().await.unwrap();
        let attempt = scene.attempt(assignment.attempt_id).await;
        Self { forge, code, scene, attempt }
    }

    /// Another repository takes the name; its head.
    fn replace(&self) -> String {
        self.code.rename("moved");
        let other = self.forge.repository("mona", "web", true);
        other.commit("main", &[("secret", "1")], "Another one")
    }

    /// The refs as git reads them.
    async fn refs(&self) -> Result<String> {
        read(source::refs(&self.scene.app.app, &self.attempt, &Question::default()).await?).await
    }

    async fn source(&self) -> rows::Source {
        db::sources::find(&self.scene.app.db, self.scene.wired().source.id).await.unwrap().unwrap()
    }
}

async fn connect(app: &TestApp, forge: &Forge) -> Uuid {
    let (id, identity_id, user) = (Uuid::now_v7(), Uuid::now_v7(), testing::user("mona"));
    let place = Place { table: "connection", column: "token_encrypted", row: id };
    let token = Secret::new(forge.token_for("mona", &["repo", "read:org"]));
    let tx = app.db.begin().await.unwrap();
    let identity = rows::Identity {
        id: identity_id,
        user_id: user.id,
        forge: "github".into(),
        forge_url: forge.url(),
        remote_id: forge.person("mona").id.to_string(),
        login: "mona".into(),
        created_at: 0,
        updated_at: 0,
    };
    db::users::insert(&tx, user).await.unwrap();
    db::users::insert_identity(&tx, identity).await.unwrap();
    let connection = rows::Connection {
        id,
        identity_id,
        scopes: "repo read:org".into(),
        token_encrypted: app.master_key.seal_text(place, &token),
        state: ConnectionState::Active,
        state_detail: None,
        listed_at: None,
        listing_error: None,
        created_at: 0,
        updated_at: 0,
    };
    db::users::insert_connection(&tx, connection).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn read(answer: Answer) -> Result<String> {
    let Answer::Good { mut body, .. } = answer else { panic!("the forge refuses") };
    let mut text = Vec::new();
    while let Some(piece) = body.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn a_source_is_read_where_it_is_now_and_not_what_took_its_name() {
    let build = Running::start(true).await;
    let own = build.code.head("main").unwrap();
    assert!(build.refs().await.unwrap().contains(&own));
    let asked = build.forge.requests("GET /api/v3/repositories/");
    let other = build.replace();
    let refs = build.refs().await.unwrap();
    assert!(refs.contains(&own) && !refs.contains(&other), "{refs}");
    assert_eq!(build.source().await.clone_url, build.code.clone_url(), "the new address is noted");
    assert_eq!(build.forge.requests("GET /api/v3/repositories/"), asked + 1, "one question for each list of refs");
}

#[tokio::test]
async fn objects_are_asked_for_where_the_source_is_a_minute_later_too() {
    let build = Running::start(true).await;
    build.refs().await.unwrap();
    let objects = async |path: &str| {
        let (app, question) = (&build.scene.app.app, Question::default());
        let body = stream::iter([Ok(Bytes::from_static(b"0000"))]);
        source::pack(app, &build.attempt, &question, body).await.unwrap();
        build.forge.requests(&format!("POST /mona/{path}.git/git-upload-pack"))
    };
    let asked = build.forge.requests("GET /api/v3/repositories/");
    assert_eq!(objects("web").await, 1);
    assert_eq!(build.forge.requests("GET /api/v3/repositories/"), asked, "it was asked for the refs");
    build.replace();
    build.scene.app.clock.advance(MINUTE);
    assert_eq!(objects("moved").await, 1);
    assert_eq!(build.forge.requests("POST /mona/web.git/git-upload-pack"), 1);
}

#[tokio::test]
async fn a_source_that_is_gone_is_refused_though_another_took_its_name() {
    let build = Running::start(true).await;
    build.replace();
    build.code.clone().delete();
    let refused = build.refs().await.unwrap_err();
    assert!(matches!(refused, Error::Forge(ForgeError::NotFound)), "{refused}");
}

#[tokio::test]
async fn an_api_that_is_away_or_asks_to_wait_ends_no_build() {
    let build = Running::start(true).await;
    for status in [503, 429] {
        build.forge.fail_next_at("/api/v3/", 1, status);
        build.refs().await.unwrap();
    }
}

#[tokio::test]
async fn a_passage_that_hears_that_code_is_private_notes_it() {
    let build = Running::start(false).await;
    build.code.set_private_quietly(true);
    build.refs().await.unwrap();
    assert!(build.source().await.is_private);
}
