//! What the list of tags finds, and in which order.

use super::Scene;
use crate::db::{self, PrincipalKind, RepositoryState, rows};
use crate::names::Digest;
use crate::policy::{PullImage, ReadRepository};
use crate::registry::images::{self, TagOrder};
use crate::registry::manifests;
use uuid::Uuid;

crate::testing::on_postgres! {
    tags_are_found_by_name_and_digest,
    tags_come_in_the_order_that_is_asked_for,
    a_repository_changes_with_its_tags,
    a_first_page_of_referrers_has_one_of_others_however_large_ours_are,
}

/// A repository with these tags, each on an image of its own, the first the newest.
async fn tagged(names: &[&str]) -> (Scene, rows::Repository) {
    let scene = Scene::new().await;
    let repository = scene.repository(scene.namespace.id, "hello", RepositoryState::Live, 0).await;
    let tx = scene.app.db.begin().await.unwrap();
    for (age, name) in names.iter().enumerate() {
        let manifest = crate::testing::manifest(repository.id, &Digest::of(name.as_bytes()));
        db::manifests::insert(&tx, manifest, Vec::new()).await.unwrap();
        let tag = rows::Tag {
            id: Uuid::now_v7(),
            repository_id: repository.id,
            name: (*name).into(),
            digest: digest(name),
            build_id: None,
            source_id: None,
            ref_name: None,
            ref_number: None,
            updated_at: 1_000 - i64::try_from(age).unwrap(),
        };
        db::tags::put(&tx, tag).await.unwrap();
    }
    tx.commit().await.unwrap();
    (scene, repository)
}

fn digest(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()
}

async fn found(scene: &Scene, repository: &rows::Repository, part: &str, order: TagOrder) -> String {
    let allowed = scene.allowed::<ReadRepository>(Some(repository));
    let (images, total) = images::page(&scene.app, &allowed, part, order, 0, 30).await.unwrap();
    let names: Vec<_> = images.iter().flat_map(|i| i.tags.iter().map(|t| t.name.as_str())).collect();
    assert_eq!(names.len() as u64, total);
    names.join(" ")
}

#[tokio::test]
async fn tags_are_found_by_name_and_digest() {
    let (scene, repository) = tagged(&["main", "V1_x", "v10x"]).await;
    let find = async |part: &str| found(&scene, &repository, part, TagOrder::Name).await;
    assert_eq!(find("v1_").await, "V1_x");
    assert_eq!(find("%").await, "");
    assert_eq!(find(&digest("main")).await, "main");
    assert_eq!(find(&digest("main")[7..19]).await, "main");
    assert_eq!(find(&digest("main")[8..30]).await, "", "digests are found from their beginning");
}

#[tokio::test]
async fn tags_come_in_the_order_that_is_asked_for() {
    let (scene, repository) = tagged(&["1.9", "main", "1.10"]).await;
    let sorted = async |order| found(&scene, &repository, "", order).await;
    assert_eq!(sorted(TagOrder::Newest).await, "1.9 main 1.10");
    assert_eq!(sorted(TagOrder::Name).await, "1.10 1.9 main");
    assert_eq!(sorted(TagOrder::Version).await, "1.10 1.9 main");
}

#[tokio::test]
async fn a_version_order_has_pages() {
    let (scene, repository) = tagged(&["1.9", "main", "1.10", "1.11"]).await;
    let allowed = scene.allowed::<ReadRepository>(Some(&repository));
    let (images, total) = images::page(&scene.app, &allowed, "", TagOrder::Version, 1, 2).await.unwrap();
    let names: Vec<_> = images.iter().map(|i| i.tags[0].name.as_str()).collect();
    assert_eq!((names, total), (vec!["1.10", "1.9"], 4));
}

#[tokio::test]
async fn a_repository_changes_with_its_tags() {
    let (scene, repository) = tagged(&["main"]).await;
    assert_eq!(repository.updated_at, 0);
    let before = scene.app.clock.now();
    let allowed = scene.allowed::<crate::policy::DeleteImage>(Some(&repository));
    super::super::tags::delete_by_name(&scene.app, &allowed, &"main".parse().unwrap()).await.unwrap();
    let now = db::repositories::find(&scene.app.db, repository.id).await.unwrap().unwrap();
    assert!(now.updated_at >= before);
}

#[tokio::test]
async fn a_first_page_of_referrers_has_one_of_others_however_large_ours_are() {
    use PrincipalKind::{System, User};
    let (scene, repository) = tagged(&["main"]).await;
    let subject = Digest::of(b"main");
    let tx = scene.app.db.begin().await.unwrap();
    for (n, principal_kind) in (0..).zip([System, System, User, User]) {
        let plain = crate::testing::manifest(repository.id, &Digest::of(&[n]));
        let subject_digest = Some(subject.to_string());
        let row = rows::Manifest { subject_digest, principal_kind, size_bytes: 2 << 20, ..plain };
        db::manifests::insert(&tx, row, Vec::new()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let allowed = scene.allowed::<PullImage>(Some(&repository));
    let (found, is_more) = manifests::referrers_page(&scene.app, &allowed, &subject, None, "", 100).await.unwrap();
    let by: Vec<_> = found.iter().map(|row| row.principal_kind).collect();
    assert_eq!((&by[..], is_more), (&[System, System, User][..], true));
}
