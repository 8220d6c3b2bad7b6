//! Builds of a repository that is deleted, and who waits for whom meanwhile.

use super::outcomes::{push, success};
use super::*;
use crate::builds::{lease, log};
use crate::clock::DAY;
use crate::db::Ask as _;
use crate::db::BuildState::{Cancelled, Succeeded};
use crate::error::Error;
use crate::jobs::{self, Task, Turn};
use crate::policy::AdministerRepository;
use crate::registry::{objects, removal, repositories};
use crate::trust;

crate::testing::on_postgres! {
    builds_of_a_deleted_repository_end_first,
    sealed_logs_of_a_deleted_repository_go_with_it,
    a_source_goes_with_the_last_repository_that_it_fills,
    a_build_that_ends_takes_its_repository_before_itself,
    what_the_version_before_stored_has_its_objects,
}

async fn delete(scene: &Scene) {
    let on = scene.manager().on().clone();
    let on = RepositoryAccess { role: Some(Role::Admin), ..on };
    let allowed = policy::check::<AdministerRepository>(scene.manager().principal(), on).unwrap();
    repositories::delete(&scene.app, &allowed).await.unwrap();
}

async fn remove(scene: &Scene) {
    let repository_id = scene.wired().repository.id;
    loop {
        jobs::perform_now(&scene.app, &Task::RemoveRepository { repository_id }).await.unwrap();
        if removal::find(&scene.app, repository_id).await.unwrap().is_none() {
            break;
        }
    }
}

#[tokio::test]
async fn builds_of_a_deleted_repository_end_first() {
    let scene = Scene::new().await;
    let waits = scene.queue(1).await;
    let attempt = scene.claim().await.unwrap().attempt_id;
    let attempt = scene.attempt(attempt).await;
    let next = scene.queue(2).await;
    delete(&scene).await;
    assert!(scene.claim().await.is_none(), "what waits is not handed out any more");
    assert!(crate::auth::tokens::principal_of_attempt(&scene.app, attempt.id).await.is_err(), "its token is no good");
    assert!(crate::builds::removal::end(&scene.app, scene.wired().repository.id, &mut Turn::begin()).await.unwrap());
    for build in [waits, next] {
        assert_eq!(scene.build(build.id).await.state, Cancelled);
    }
    let heard = lease::heartbeat(&scene.app, &attempt).await;
    assert!(matches!(heard, Err(Error::Conflict(_))), "its builder drops the work");
    remove(&scene).await;
    assert!(db::builds::find(&scene.app.db, attempt.build_id).await.unwrap().is_none());
    assert!(lease::heartbeat(&scene.app, &attempt).await.is_err());
    assert!(lease::sweep(&scene.app).await.is_ok());
}

#[tokio::test]
async fn sealed_logs_of_a_deleted_repository_go_with_it() {
    let scene = Scene::new().await;
    let (_, key) = scene.sealed_log().await;
    assert!(scene.app.storage.length(&key).await.unwrap().is_some());
    delete(&scene).await;
    remove(&scene).await;
    assert!(scene.app.storage.length(&key).await.unwrap().is_some(), "a backup that began before comes to its end");
    scene.app.clock.advance(2 * DAY);
    objects::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.app.storage.length(&key).await.unwrap(), None);
    assert!(db::objects::all(&scene.app.db).await.is_empty());
}

#[tokio::test]
async fn a_source_goes_with_the_last_repository_that_it_fills() {
    let scene = Scene::new().await;
    let Wired { repository, source, namespace, .. } = scene.wired();
    let other = testing::repository(namespace.id, "other");
    let tx = scene.app.db.begin().await.unwrap();
    let other = db::repositories::insert(&tx, other).await.unwrap();
    let second = db::sources::insert_rule(&tx, rule(source.id, other.id)).await.unwrap();
    tx.commit().await.unwrap();
    delete(&scene).await;
    let left = db::sources::rules_of(&scene.app.db, source.id).await.unwrap();
    assert_eq!(left.iter().map(|rule| rule.id).collect::<Vec<_>>(), [second.id], "pushes build into the other only");
    assert!(db::sources::rules_into(&scene.app.db, repository.id).await.unwrap().is_empty());
    remove(&scene).await;
    assert!(db::sources::find(&scene.app.db, source.id).await.unwrap().is_some());
    let tx = scene.app.db.begin().await.unwrap();
    db::repositories::begin_deletion(&tx, other.id, other.state).await.unwrap();
    tx.commit().await.unwrap();
    jobs::perform_now(&scene.app, &Task::RemoveRepository { repository_id: other.id }).await.unwrap();
    assert!(db::sources::find(&scene.app.db, source.id).await.unwrap().is_none());
}

#[tokio::test]
async fn what_the_version_before_stored_has_its_objects() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let id = assignment.attempt_id;
    push(&scene, &assignment, "a blob").await;
    log::append(&scene.app, &scene.attempt(id).await, batch(1, vec![started(1)])).await.unwrap();
    scene.finish(id, slipway_protocol::Outcome::TimedOut).await.unwrap();
    log::seal(&scene.app, id).await.unwrap();
    let upload = rows::Upload {
        id: Uuid::now_v7(),
        repository_id: scene.wired().repository.id,
        storage_key: db::objects::register(&scene.app.db, db::ObjectKind::Blob, 1).await.unwrap(),
        offset_bytes: 0,
        version: 0,
        locked_until: None,
        locked_by: None,
        principal_kind: db::PrincipalKind::System,
        principal_id: None,
        attempt_id: None,
        created_at: 1,
        updated_at: 1,
    };
    let tx = scene.app.db.begin().await.unwrap();
    db::uploads::insert(&tx, upload.id, 1, |storage_key| rows::Upload { storage_key, ..upload.clone() }).await.unwrap();
    tx.commit().await.unwrap();
    let named = async || {
        let all = db::objects::all(&scene.app.db).await.into_iter();
        let named =
            all.filter(|o| o.owner_id.is_some()).map(|o| (o.storage_key, o.kind, o.state, o.owner_kind, o.owner_id));
        named.collect::<Vec<_>>()
    };
    let before = named().await;
    assert_eq!(before.len(), 3);
    db::connect::before_objects(&scene.app.db).await;
    db::connect::migrate(&scene.app.db).await.unwrap();
    assert_eq!(named().await, before);
    assert!(db::objects::ownerless(&scene.app.db, 10).await.unwrap().is_empty());
}

/// Two transactions that take repository and build each from another end wait for each other.
#[tokio::test]
async fn a_build_that_ends_takes_its_repository_before_itself() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    trust::make_key(&scene.app, scene.wired().namespace.id).await;
    // With SQLite there is one writer.
    if !scene.app.db.is_postgres() {
        return;
    }
    let other = async {
        let tx = scene.app.db.begin().await.unwrap();
        // As whoever deletes the repository, or adds a build to it.
        db::repositories::lock(&tx, build.repository_id).await.unwrap();
        let half = std::time::Duration::from_secs(20);
        tokio::time::timeout(half, scene.app.db.until_somebody_waits()).await.expect("the end waits for it");
        db::builds::lock(&tx, build.id).await.expect("nobody who waits for the repository holds the build");
        tx.commit().await.unwrap();
    };
    let end = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        scene.finish(assignment.attempt_id, success(&digest)).await.unwrap();
    };
    tokio::join!(other, end);
    assert_eq!(scene.build(build.id).await.state, Succeeded);
}

/// A repository with so many tags, and so many builds with logs.
async fn grow(scene: &Scene, tags: usize, builds: i64) {
    testing::add_tags(&scene.app, scene.wired().repository.id, tags, false).await;
    for number in 1..=builds {
        scene.queue(number).await;
        let id = scene.claim().await.unwrap().attempt_id;
        for first in [1, 201, 401] {
            let lines = (0..200).map(|n| if first + n == 1 { started(1) } else { line(1, n) }).collect();
            log::append(&scene.app, &scene.attempt(id).await, batch(first.into(), lines)).await.unwrap();
        }
        scene.finish(id, slipway_protocol::Outcome::TimedOut).await.unwrap();
    }
}

#[tokio::test]
async fn other_writers_come_in_while_a_large_repository_is_removed() {
    let scene = Scene::new().await;
    grow(&scene, 3_000, 30).await;
    delete(&scene).await;
    let (app, id) = (&scene.app, scene.wired().repository.id);
    app.db.largest_change();
    remove(&scene).await;
    // What one transaction changes is what others wait for.
    let largest = app.db.largest_change();
    assert!((100..=1_000).contains(&largest), "{largest} rows in one transaction");
    assert!(db::repositories::find_in_any_state(&app.db, id).await.unwrap().is_none());
}
