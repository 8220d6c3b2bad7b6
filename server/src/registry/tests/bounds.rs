//! What one account may have begun and not ended, and what becomes of it.

use super::super::repositories;
use super::super::uploads::{self, Chunk};
use super::Scene;
use crate::clock::DAY;
use crate::db::{self, PrincipalKind, RepositoryState, rows};
use crate::error::{Error, Result};
use crate::names::Digest;
use crate::policy::{Allowed, PushImage};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

crate::testing::on_postgres! {
    an_account_has_so_many_uploads_open_and_no_more,
    an_account_holds_so_many_bytes_and_no_more,
    an_account_begins_so_many_repositories_and_no_more,
    a_namespace_holds_so_many_repositories_and_no_more,
    every_old_upload_is_forgotten_at_once,
    bytes_of_first_pushes_count_until_their_manifest_comes,
    an_old_upload_that_cannot_be_removed_keeps_no_other,
}

const SMALL: &str = "[uploads]\nopen = 3\nbytes = 100\n";

async fn pushing(scene: &Scene) -> Allowed<PushImage> {
    let repository = scene.repository(scene.namespace.id, "hello", RepositoryState::Live, 0).await;
    scene.allowed(Some(&repository))
}

fn bytes(number: usize) -> impl uploads::Body {
    stream::iter([Ok(Bytes::from(vec![7; number]))])
}

async fn send(scene: &Scene, upload: &rows::Upload, number: usize) -> Result<rows::Upload> {
    uploads::append(&scene.app, upload, Chunk { from: None, body: bytes(number) }, "/").await
}

#[tokio::test]
async fn an_account_has_so_many_uploads_open_and_no_more() {
    let scene = Scene::with(SMALL).await;
    let mona = pushing(&scene).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(uploads::start(&scene.app, &mona).await.unwrap());
    }
    let refused = uploads::start(&scene.app, &mona).await.unwrap_err();
    assert_eq!(refused.status(), 429);
    assert!(refused.to_string().contains("finish or cancel"), "{refused}");
    let other = scene.allowed(Some(&db::repositories::find(&scene.app.db, mona.on().id).await.unwrap().unwrap()));
    uploads::start(&scene.app, &other).await.expect("another account is none the worse");
    uploads::cancel(&scene.app, &open[0]).await.unwrap();
    uploads::start(&scene.app, &mona).await.unwrap();
}

#[tokio::test]
async fn an_account_holds_so_many_bytes_and_no_more() {
    let scene = Scene::with(SMALL).await;
    let mona = pushing(&scene).await;
    let first = uploads::start(&scene.app, &mona).await.unwrap();
    let first = send(&scene, &first, 60).await.unwrap();
    let second = uploads::start(&scene.app, &mona).await.unwrap();
    let second = send(&scene, &second, 60).await.unwrap();
    let refused = send(&scene, &first, 1).await.unwrap_err();
    assert_eq!(refused.status(), 403);
    assert!(refused.to_string().contains("120 bytes") && refused.to_string().contains("cancel uploads"), "{refused}");
    uploads::cancel(&scene.app, &second).await.unwrap();
    let digest = Digest::of(&[7; 61]);
    let last = Some(Chunk { from: None, body: bytes(1) });
    uploads::finish(&scene.app, &mona, &first, last, &digest, "/").await.unwrap();
    assert_eq!(db::uploads::open_of(&scene.app.db, PrincipalKind::User, mona.principal().id()).await.unwrap(), []);
    let next = uploads::start(&scene.app, &mona).await.unwrap();
    send(&scene, &next, 60).await.expect("what has ended is held no more");
}

#[tokio::test]
async fn one_stream_is_stopped_at_the_bound() {
    let scene = Scene::with("[uploads]\nbytes = 20_000_000\n").await;
    let mona = pushing(&scene).await;
    let upload = uploads::start(&scene.app, &mona).await.unwrap();
    let endless = stream::repeat_with(|| Ok(Bytes::from(vec![7; 1 << 20])));
    let sent = uploads::append(&scene.app, &upload, Chunk { from: None, body: endless.take(100) }, "/");
    let refused = sent.await.unwrap_err();
    assert!(matches!(refused, Error::Forbidden(_)), "{refused}");
    assert_eq!(scene.app.storage.length(&upload.storage_key).await.unwrap(), Some(0), "its room is given back");
}

#[tokio::test]
async fn an_account_begins_so_many_repositories_and_no_more() {
    let scene = Scene::with("[uploads]\nopen = 3\n").await;
    let mona = pushing(&scene).await;
    let named = |name: &str| scene.allowed_by::<PushImage>(mona.principal(), name);
    for name in ["one", "two", "three"] {
        let upload = uploads::start(&scene.app, &named(name)).await.unwrap();
        uploads::cancel(&scene.app, &upload).await.unwrap();
    }
    let refused = uploads::start(&scene.app, &named("four")).await.unwrap_err();
    assert_eq!(refused.status(), 429);
    assert!(refused.to_string().contains("push the manifests"), "{refused}");
    uploads::start(&scene.app, &mona).await.expect("what is there can be pushed to");
    scene.app.clock.advance(2 * DAY);
    uploads::forget_old(&scene.app).await.unwrap();
    uploads::start(&scene.app, &named("four")).await.expect("what was left is forgotten");
}

#[tokio::test]
async fn every_old_upload_is_forgotten_at_once() {
    let scene = Scene::with("[uploads]\nopen = 10_000\n").await;
    let mona = pushing(&scene).await;
    for _ in 0..1_100 {
        uploads::start(&scene.app, &mona).await.unwrap();
    }
    for n in 0..3 {
        scene.repository(scene.namespace.id, &format!("left-{n}"), RepositoryState::Provisional, 0).await;
    }
    scene.app.clock.advance(2 * DAY);
    let written = uploads::start(&scene.app, &mona).await.unwrap();
    uploads::forget_old(&scene.app).await.unwrap();
    let open = db::uploads::open_of(&scene.app.db, PrincipalKind::User, mona.principal().id()).await.unwrap();
    assert_eq!(open, [(written.id, 0)]);
    assert_eq!(db::objects::all(&scene.app.db).await.len(), 1);
    assert_eq!(db::repositories::deleting(&scene.app.db, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_old_upload_that_cannot_be_removed_keeps_no_other() {
    let scene = Scene::new().await;
    let mona = pushing(&scene).await;
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(uploads::start(&scene.app, &mona).await.unwrap());
    }
    // As a disk that fails in one place would.
    let file = scene.app.config.data_dir.join("storage").join(begun[1].storage_key.as_str());
    std::fs::create_dir_all(file).unwrap();
    scene.app.clock.advance(2 * DAY);
    assert!(uploads::forget_old(&scene.app).await.is_err(), "an operator reads of it");
    let left = db::uploads::open_of(&scene.app.db, PrincipalKind::User, mona.principal().id()).await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test]
async fn bytes_of_first_pushes_count_until_their_manifest_comes() {
    let scene = Scene::with(SMALL).await;
    let mona = pushing(&scene).await;
    let first = scene.allowed_by::<PushImage>(mona.principal(), "first");
    let upload = uploads::start(&scene.app, &first).await.unwrap();
    let last = Some(Chunk { from: None, body: bytes(100) });
    uploads::finish(&scene.app, &first, &upload, last, &Digest::of(&[7; 100]), "/").await.unwrap();
    let refused = uploads::start(&scene.app, &mona).await.unwrap_err();
    assert!(refused.status() == 403 && refused.to_string().contains("100 bytes are held"), "{refused}");
}

#[tokio::test]
async fn a_namespace_holds_so_many_repositories_and_no_more() {
    let scene = Scene::with("[repositories]\nper_namespace = 3\n").await;
    for name in ["a", "b", "c"] {
        scene.repository(scene.namespace.id, name, RepositoryState::Live, 0).await;
    }
    let new = scene.allowed::<PushImage>(None);
    let refused = repositories::ensure(&scene.app, &new).await.unwrap_err();
    assert_eq!(refused.status(), 403);
    assert!(refused.to_string().contains("`mona` holds as many repositories as a namespace may (3)"), "{refused}");
    let old = db::repositories::find_by_name(&scene.app.db, scene.namespace.id, "a").await.unwrap().unwrap();
    repositories::ensure(&scene.app, &scene.allowed::<PushImage>(Some(&old))).await.expect("a push into one goes on");
    let tx = scene.app.db.begin().await.unwrap();
    db::repositories::begin_deletion(&tx, old.id, old.state).await.unwrap();
    tx.commit().await.unwrap();
    repositories::ensure(&scene.app, &new).await.expect("one that is being deleted makes room");
}
