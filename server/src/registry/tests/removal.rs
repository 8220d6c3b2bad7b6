//! Deletions of what is large: names are free at once, and other writers come in between.

use super::super::{document, manifests, objects, removal, repositories, uploads};
use super::Scene;
use crate::clock::DAY;
use crate::db::{self, Lane, RepositoryState, rows};
use crate::names::{Digest, Reference};
use crate::policy::{AdministerRepository, BUILD_CACHE, DeleteImage, PushImage, build_cache};
use crate::testing;

crate::testing::on_postgres! {
    a_deleted_repository_loses_its_name_at_once,
    uploads_of_a_deleted_repository_go_with_it,
    a_removal_that_broke_off_goes_on,
    nothing_is_written_to_a_repository_that_is_being_deleted,
    a_manifest_with_many_tags_takes_all_of_them_along,
    a_child_is_kept_by_the_indexes_of_its_own_repository,
    the_cache_that_all_refs_shared_in_the_version_before_goes_and_the_others_stay,
    the_caches_of_a_deleted_repository_lose_their_names_with_it,
}

/// A repository with so many tags, each on a manifest of its own, or all on one.
async fn tagged(scene: &Scene, number: usize, on_one: bool) -> rows::Repository {
    let repository = scene.repository(scene.namespace.id, "hello", RepositoryState::Live, 0).await;
    testing::add_tags(&scene.app, repository.id, number, on_one).await;
    repository
}

async fn delete(scene: &Scene, row: &rows::Repository) {
    repositories::delete(&scene.app, &scene.allowed::<AdministerRepository>(Some(row))).await.unwrap();
}

#[tokio::test]
async fn a_deleted_repository_loses_its_name_at_once() {
    let scene = Scene::new().await;
    let old = tagged(&scene, 3, false).await;
    let namespace = scene.namespace.id;
    delete(&scene, &old).await;
    assert_eq!(db::repositories::count_named(&scene.app.db, namespace).await.unwrap(), 0);
    assert!(
        repositories::visible_names(&scene.app, &crate::policy::Principal::SYSTEM, "", 10).await.unwrap().is_empty()
    );
    let new = repositories::ensure(&scene.app, &scene.allowed::<PushImage>(None)).await.unwrap();
    assert_ne!(new.id, old.id);
    assert_eq!((new.name.as_str(), new.state), ("hello", RepositoryState::Provisional));
    assert!(scene.exists(&old).await, "its rows are for the job");
    let twice = repositories::delete(&scene.app, &scene.allowed::<AdministerRepository>(Some(&old))).await;
    assert_eq!(twice.unwrap_err().status(), 404);
    scene.remove(&old).await;
    assert!(!scene.exists(&old).await && scene.is_seen(&new).await);
    scene.remove(&old).await;
}

#[tokio::test]
async fn uploads_of_a_deleted_repository_go_with_it() {
    let scene = Scene::new().await;
    let row = tagged(&scene, 1, false).await;
    let upload = uploads::start(&scene.app, &scene.allowed::<PushImage>(Some(&row))).await.unwrap();
    scene.app.storage.put(&upload.storage_key, "some bytes".into()).await.unwrap();
    delete(&scene, &row).await;
    scene.remove(&row).await;
    assert!(!scene.exists(&row).await);
    scene.app.clock.advance(2 * DAY);
    objects::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.app.storage.length(&upload.storage_key).await.unwrap(), None);
    assert!(db::objects::all(&scene.app.db).await.is_empty());
}

#[tokio::test]
async fn a_removal_that_broke_off_goes_on() {
    let scene = Scene::new().await;
    let row = tagged(&scene, 1_200, false).await;
    delete(&scene, &row).await;
    let tx = scene.app.db.begin().await.unwrap();
    assert_eq!(db::removal::content(&tx, row.id, 100).await.unwrap(), 100);
    // Its job gave up.
    let now = scene.app.clock.now();
    let claimed = db::jobs::claim_next(&tx, Lane::Long, now).await.unwrap().unwrap();
    db::jobs::end(&tx, &claimed.job, &db::jobs::End::Failed("it broke".into()), now).await.unwrap();
    tx.commit().await.unwrap();
    removal::go_on(&scene.app).await.unwrap();
    removal::go_on(&scene.app).await.unwrap();
    assert_eq!(db::jobs::count_open(&scene.app.db).await.unwrap(), 1, "it is asked for once");
    scene.remove(&row).await;
    assert!(!scene.exists(&row).await);
}

#[tokio::test]
async fn nothing_is_written_to_a_repository_that_is_being_deleted() {
    let scene = Scene::new().await;
    let row = tagged(&scene, 1, false).await;
    let deleting = scene.allowed::<DeleteImage>(Some(&row));
    delete(&scene, &row).await;
    let late = manifests::delete(&scene.app, &deleting, &Reference::Tag("t00000".parse().unwrap())).await;
    assert_eq!(late.unwrap_err().status(), 404);
    let tx = scene.app.db.begin().await.unwrap();
    assert!(db::repositories::next_build_number(&tx, row.id).await.is_err());
}

#[tokio::test]
async fn a_manifest_with_many_tags_takes_all_of_them_along() {
    let scene = Scene::new().await;
    let row = tagged(&scene, 1_050, true).await;
    let digest = Digest::of(b"one");
    let allowed = scene.allowed::<DeleteImage>(Some(&row));
    manifests::delete(&scene.app, &allowed, &Reference::Digest(digest.clone())).await.unwrap();
    assert_eq!(db::tags::count(&scene.app.db, row.id, "").await.unwrap(), 0);
    assert!(db::manifests::find(&scene.app.db, row.id, digest.as_str()).await.unwrap().is_none());
    for name in ["t00000", "t00777", "t01049"] {
        let moves = db::tags::moves(&scene.app.db, row.id, name, 10).await.unwrap();
        let [gone] = &moves[..] else { panic!("{name}: {moves:?}") };
        assert_eq!((gone.from_digest.as_deref(), &gone.to_digest), (Some(digest.as_str()), &None));
    }
}

/// What one transaction changes is what other writers wait for.
#[tokio::test]
async fn tags_of_a_manifest_go_a_few_hundred_at_once() {
    let scene = Scene::new().await;
    let row = tagged(&scene, 1_050, true).await;
    let allowed = scene.allowed::<DeleteImage>(Some(&row));
    scene.app.db.largest_change();
    manifests::delete(&scene.app, &allowed, &Reference::Digest(Digest::of(b"one"))).await.unwrap();
    let largest = scene.app.db.largest_change();
    assert!((100..=1_500).contains(&largest), "{largest} rows in one transaction");
}

#[tokio::test]
async fn the_cache_that_all_refs_shared_in_the_version_before_goes_and_the_others_stay() {
    let scene = Scene::new().await;
    let tx = scene.app.db.begin().await.unwrap();
    let caches = db::namespaces::insert(&tx, testing::namespace(BUILD_CACHE)).await.unwrap();
    tx.commit().await.unwrap();
    let id = uuid::Uuid::now_v7().simple();
    let shared = scene.repository(caches.id, &id.to_string(), RepositoryState::Live, 0).await;
    let own = scene.repository(caches.id, &format!("{id}/protected"), RepositoryState::Live, 0).await;
    removal::forget_shared_caches(&scene.app).await.unwrap();
    assert!(!scene.is_seen(&shared).await && scene.is_seen(&own).await);
    scene.remove(&shared).await;
    assert!(!scene.exists(&shared).await);
}

#[tokio::test]
async fn the_caches_of_a_deleted_repository_lose_their_names_with_it() {
    let scene = Scene::new().await;
    let row = tagged(&scene, 1, false).await;
    let tx = scene.app.db.begin().await.unwrap();
    let caches = db::namespaces::insert(&tx, testing::namespace(BUILD_CACHE)).await.unwrap();
    tx.commit().await.unwrap();
    let mut gone = Vec::new();
    for protection in [db::Protection::Protected, db::Protection::Unprotected] {
        let name = build_cache(row.id, protection);
        let name = name.strip_prefix("buildcache/").unwrap();
        gone.push(scene.repository(caches.id, name, RepositoryState::Live, 0).await);
    }
    let other = scene.repository(caches.id, "another/protected", RepositoryState::Live, 0).await;
    delete(&scene, &row).await;
    for cache in &gone {
        assert!(!scene.is_seen(cache).await, "{}", cache.name);
        scene.remove(cache).await;
        assert!(!scene.exists(cache).await, "{}", cache.name);
    }
    assert!(scene.is_seen(&other).await);
}

#[tokio::test]
async fn a_child_is_kept_by_the_indexes_of_its_own_repository() {
    let scene = Scene::new().await;
    let child = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let entry = serde_json::json!({"mediaType": document::OCI_INDEX, "size": child.len(), "digest": Digest::of(child).as_str()});
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": document::OCI_INDEX, "manifests": vec![&entry; 50],
    });
    let mut kept = Vec::new();
    for name in ["one", "two"] {
        let row = scene.repository(scene.namespace.id, name, RepositoryState::Live, 0).await;
        let allowed = scene.allowed::<PushImage>(Some(&row));
        let mut pushed = Vec::new();
        for body in [child.to_vec(), index.to_string().into_bytes()] {
            let digest = Digest::of(&body);
            let push = manifests::Push::of(&allowed, document::OCI_INDEX, body.into());
            manifests::put(&scene.app, &push, &Reference::Digest(digest.clone())).await.unwrap();
            pushed.push(Reference::Digest(digest));
        }
        kept.push((scene.allowed::<DeleteImage>(Some(&row)), pushed));
    }
    assert_eq!(db::edges::count_all(&scene.app.db).await, 2, "a child that is listed again is a row once");
    let (first, second) = (&kept[0], &kept[1]);
    let refused = manifests::delete(&scene.app, &first.0, &first.1[0]).await.unwrap_err();
    assert!(refused.to_string().contains("part of an image index"), "{refused}");
    manifests::delete(&scene.app, &first.0, &first.1[1]).await.unwrap();
    manifests::delete(&scene.app, &first.0, &first.1[0]).await.expect("the index of the other is no reason");
    assert!(manifests::delete(&scene.app, &second.0, &second.1[0]).await.is_err());
}
