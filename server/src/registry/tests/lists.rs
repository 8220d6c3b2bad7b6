//! What the list of tags finds, and in which order.

use super::Scene;
use crate::db::{self, PrincipalKind, RepositoryState, rows};
use crate::names::Digest;
use crate::policy::{PullImage, ReadRepository};
use crate::registry::images::{self, Asked, Image, TagOrder};
use crate::registry::manifests;
use uuid::Uuid;

crate::testing::on_postgres! {
    tags_are_found_by_name_and_digest,
    tags_come_in_the_order_that_is_asked_for,
    an_image_is_one_row_of_one_page_however_far_apart_its_tags_are,
    the_tag_that_is_offered_is_on_the_first_page,
    people_are_offered_the_first_name_that_is_there_else_the_newest_tag,
    an_image_is_found_by_one_tag_and_shown_with_the_others,
    a_row_has_so_many_tags_and_the_list_of_its_digest_all,
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
    let asked = Asked { part, order, limit: 30, ..Asked::default() };
    let (images, total) = images::page(&scene.app, &allowed, asked).await.unwrap();
    assert_eq!(images.len() as u64, total);
    rows_of(&images).join(" ")
}

/// The tags of each image, `latest,1.0`.
fn rows_of(images: &[Image]) -> Vec<String> {
    let row = |image: &Image| image.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>().join(",");
    images.iter().map(row).collect()
}

/// Adds a tag to the image of another one, moved at this moment.
async fn tag_again(scene: &Scene, repository: &rows::Repository, name: &str, of: &str, updated_at: i64) {
    let tx = scene.app.db.begin().await.unwrap();
    let tag = db::tags::find(&tx, repository.id, of).await.unwrap().unwrap();
    db::tags::put(&tx, rows::Tag { id: Uuid::now_v7(), name: name.into(), updated_at, ..tag }).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_image_is_one_row_of_one_page_however_far_apart_its_tags_are() {
    let names: Vec<String> = (0..40).map(|n| format!("b{n:02}")).collect();
    let (scene, repository) = tagged(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Beside the newest and beside the oldest of them.
    tag_again(&scene, &repository, "a-nightly", "b39", 2_000).await;
    tag_again(&scene, &repository, "z-stable", "b00", 1).await;
    let allowed = scene.allowed::<ReadRepository>(Some(&repository));
    for order in [TagOrder::Newest, TagOrder::Name, TagOrder::Version] {
        let mut all = Vec::new();
        for offset in [0, 30] {
            let asked = Asked { order, offset, limit: 30, ..Asked::default() };
            let (images, total) = images::page(&scene.app, &allowed, asked).await.unwrap();
            assert_eq!((images.len(), total), (if offset == 0 { 30 } else { 10 }, 40), "{order:?}");
            all.extend(rows_of(&images));
        }
        all.sort();
        assert_eq!(all.len(), 40);
        assert!(all.contains(&"a-nightly,b39".to_owned()), "{order:?}: {all:?}");
        assert!(all.iter().any(|row| row.contains("b00") && row.contains("z-stable")), "{order:?}: {all:?}");
        all.dedup();
        assert_eq!(all.len(), 40);
    }
}

#[tokio::test]
async fn the_tag_that_is_offered_is_on_the_first_page() {
    let mut names: Vec<String> = (0..64).map(|n| format!("feature-{n}")).collect();
    names.push("latest".to_owned());
    let (scene, repository) = tagged(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let allowed = scene.allowed::<ReadRepository>(Some(&repository));
    let latest = images::offered(&scene.app, repository.id, &["latest".to_owned()]).await.unwrap().unwrap();
    let mut all = Vec::new();
    for offset in [0, 30, 60] {
        let asked = Asked { first: Some(&latest), offset, limit: 30, ..Asked::default() };
        let (images, total) = images::page(&scene.app, &allowed, asked).await.unwrap();
        assert_eq!(total, 65);
        all.extend(rows_of(&images));
    }
    assert_eq!((all.len(), &*all[0], &*all[1], &*all[64]), (65, "latest", "feature-0", "feature-63"));
    // Where something else is asked for, it has no place of its own.
    let asked = Asked { first: Some(&latest), part: "feature-1", limit: 30, ..Asked::default() };
    let (images, _) = images::page(&scene.app, &allowed, asked).await.unwrap();
    assert!(!rows_of(&images).contains(&"latest".to_owned()));
}

#[tokio::test]
async fn people_are_offered_the_first_name_that_is_there_else_the_newest_tag() {
    let (scene, repository) = tagged(&["by-hand", "main", "old"]).await;
    let offered = async |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        images::offered(&scene.app, repository.id, &names).await.unwrap().map(|tag| tag.name)
    };
    assert_eq!(offered(&["latest", "main"]).await.as_deref(), Some("main"));
    assert_eq!(offered(&["latest", "master"]).await.as_deref(), Some("by-hand"));
    assert_eq!(offered(&["old", "main"]).await.as_deref(), Some("old"));
}

#[tokio::test]
async fn an_image_is_found_by_one_tag_and_shown_with_the_others() {
    let (scene, repository) = tagged(&["1.4.2", "main"]).await;
    tag_again(&scene, &repository, "latest", "1.4.2", 5_000).await;
    for order in [TagOrder::Newest, TagOrder::Name, TagOrder::Version] {
        assert_eq!(found(&scene, &repository, "1.4", order).await, "1.4.2,latest", "{order:?}");
    }
}

#[tokio::test]
async fn a_row_has_so_many_tags_and_the_list_of_its_digest_all() {
    let (scene, repository) = tagged(&["t000"]).await;
    for n in 1..45 {
        tag_again(&scene, &repository, &format!("t{n:03}"), "t000", 2_000 + n).await;
    }
    let allowed = scene.allowed::<ReadRepository>(Some(&repository));
    let page = async |part: &str, order, offset| {
        let asked = Asked { part, order, offset, limit: 30, ..Asked::default() };
        let (mut images, total) = images::page(&scene.app, &allowed, asked).await.unwrap();
        assert_eq!(images.len(), 1);
        (images.remove(0), total)
    };
    for (order, first) in [(TagOrder::Newest, "t044"), (TagOrder::Name, "t000"), (TagOrder::Version, "t000")] {
        let (image, total) = page("", order, 0).await;
        assert_eq!((image.tags.len(), image.more_tags, total), (10, 35, 1), "{order:?}");
        assert_eq!(image.tags[0].name, first);
        assert_eq!(image.newest.unwrap().name, "t044", "by which the row says when it was pushed");
    }
    let digest = digest("t000");
    let (first, total) = page(&digest, TagOrder::Name, 0).await;
    let (second, _) = page(&digest, TagOrder::Name, 30).await;
    assert_eq!((first.tags.len(), second.tags.len(), total), (30, 15, 45));
    assert_eq!((first.more_tags, second.tags[14].name.as_str()), (0, "t044"));
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
    let asked = Asked { order: TagOrder::Version, offset: 1, limit: 2, ..Asked::default() };
    let (images, total) = images::page(&scene.app, &allowed, asked).await.unwrap();
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
