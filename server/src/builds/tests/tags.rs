//! Tags whose holder is not what it was: deleted, or the default branch no more.

use super::outcomes::{push, success};
use super::*;

crate::testing::on_postgres! {
    latest_follows_the_default_branch,
    a_build_that_made_no_image_made_no_tags,
    a_version_that_was_taken_back_holds_no_short_tag,
    a_version_takes_its_tags_from_a_branch_and_keeps_them,
    the_default_branch_takes_its_tags_from_other_refs_and_keeps_them,
    no_ref_takes_the_tag_of_a_signature,
    a_ref_that_was_deleted_is_forgotten_after_ninety_days,
}

/// Builds a ref update to its end, of a source with that default branch.
async fn built(scene: &Scene, ref_name: &str, ref_number: i64, default_branch: &str) -> rows::Build {
    let mut wired = scene.wired().clone();
    wired.source.default_branch = default_branch.to_owned();
    let new = NewBuild { ref_name: ref_name.parse().unwrap(), ..new_build(&wired, ref_number) };
    let tx = scene.app.db.begin().await.unwrap();
    let known = db::sources::refs::find(&tx, wired.source.id, ref_name).await.unwrap();
    db::sources::refs::put(&tx, known, wired.source.id, ref_name, COMMIT, ref_number, 0).await.unwrap();
    let build = enqueue(&scene.app, &tx, &Principal::SYSTEM, new).await.unwrap();
    tx.commit().await.unwrap();
    let assignment = scene.claim().await.unwrap();
    let digest = push(scene, &assignment, &format!("{ref_name} {ref_number}")).await;
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "succeeded");
    scene.build(build.id).await
}

async fn holder(scene: &Scene, tag: &str) -> String {
    let tag = db::tags::find(&scene.app.db, scene.wired().repository.id, tag).await.unwrap().unwrap();
    format!("{} {}", tag.ref_name.unwrap(), tag.ref_number.unwrap())
}

#[tokio::test]
async fn a_build_that_made_no_image_made_no_tags() {
    let scene = Scene::new().await;
    let tags = async |id| crate::builds::tags_of(&scene.app, &scene.build(id).await).await.unwrap();
    let build = scene.queue(1).await;
    assert_eq!(tags(build.id).await, ["main", "latest"], "those that it will make");
    let attempt = scene.claim().await.unwrap().attempt_id;
    let failure = slipway_protocol::Outcome::Failed(slipway_protocol::Failure::default());
    assert_eq!(scene.finish(attempt, failure).await.unwrap(), "failed");
    assert_eq!(tags(build.id).await, Vec::<String>::new());
    // A newer one takes its place.
    let (skipped, cancelled) = (scene.queue(2).await, scene.queue(3).await);
    assert_eq!(tags(skipped.id).await, Vec::<String>::new());
    crate::builds::cancel(&scene.app, &scene.manager(), cancelled.number).await.unwrap();
    assert_eq!(tags(cancelled.id).await, Vec::<String>::new());
}

#[tokio::test]
async fn latest_follows_the_default_branch() {
    let scene = Scene::new().await;
    built(&scene, "refs/heads/main", 10, "main").await;
    built(&scene, "refs/heads/trunk", 5, "main").await;
    assert_eq!(holder(&scene, "latest").await, "refs/heads/main 10");

    let tx = scene.app.db.begin().await.unwrap();
    db::sources::set_default_branch(&tx, scene.wired().source.id, "trunk").await.unwrap();
    tx.commit().await.unwrap();
    // Its last push is older than that of the branch which was the default before.
    built(&scene, "refs/heads/trunk", 5, "trunk").await;
    assert_eq!(holder(&scene, "latest").await, "refs/heads/trunk 5");
    assert_eq!(holder(&scene, "main").await, "refs/heads/main 10");
    // One that was queued before the switch.
    let late = built(&scene, "refs/heads/main", 11, "main").await;
    assert_eq!(holder(&scene, "latest").await, "refs/heads/trunk 5");
    assert_eq!(holder(&scene, "main").await, "refs/heads/main 11");
    assert!(late.detail.unwrap().contains("`latest` belongs to `trunk`"));
}

#[tokio::test]
async fn a_version_that_was_taken_back_holds_no_short_tag() {
    let scene = Scene::new().await;
    let (source, wrong) = (scene.wired().source.id, "refs/tags/v1.20.0");
    built(&scene, wrong, 10, "main").await;
    built(&scene, "refs/tags/v1.1.0", 11, "main").await;
    assert_eq!(holder(&scene, "1").await, "refs/tags/v1.20.0 10", "the higher version holds it");

    let tx = scene.app.db.begin().await.unwrap();
    let known = db::sources::refs::find(&tx, source, wrong).await.unwrap().unwrap();
    db::sources::refs::mark_deleted(&tx, known.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    built(&scene, "refs/tags/v1.2.0", 12, "main").await;
    assert_eq!(holder(&scene, "1").await, "refs/tags/v1.2.0 12");
}

#[tokio::test]
async fn a_version_takes_its_tags_from_a_branch_and_keeps_them() {
    let scene = Scene::new().await;
    for (branch, version, tag) in [
        ("2", "v2.0.0", "2"),
        ("3.1", "v3.1.0", "3.1"),
        ("4.0.0", "v4.0.0", "4.0.0"),
        ("5.0.0-rc.1", "5.0.0-rc.1", "5.0.0-rc.1"),
    ] {
        let (branch, version) = (format!("refs/heads/{branch}"), format!("refs/tags/{version}"));
        // Pushed later than the version, built before it.
        built(&scene, &branch, 20, "main").await;
        assert_eq!(holder(&scene, tag).await, format!("{branch} 20"));
        built(&scene, &version, 10, "main").await;
        assert_eq!(holder(&scene, tag).await, format!("{version} 10"));
        let later = built(&scene, &branch, 21, "main").await;
        assert_eq!(holder(&scene, tag).await, format!("{version} 10"));
        let detail = later.detail.unwrap();
        assert!(detail.contains("versions win over branches"), "{detail}");
        // Whoever deletes the version gives the tag back.
        let tx = scene.app.db.begin().await.unwrap();
        let known = db::sources::refs::find(&tx, scene.wired().source.id, &version).await.unwrap().unwrap();
        db::sources::refs::mark_deleted(&tx, known.id, 1).await.unwrap();
        tx.commit().await.unwrap();
        built(&scene, &branch, 22, "main").await;
        assert_eq!(holder(&scene, tag).await, format!("{branch} 22"));
    }
}

#[tokio::test]
async fn the_default_branch_takes_its_tags_from_other_refs_and_keeps_them() {
    let scene = Scene::new().await;
    for (other, default, tag) in [
        ("refs/heads/latest", "develop", "latest"),
        ("refs/tags/stable", "stable", "stable"),
        ("refs/heads/release-1.0", "release/1.0", "release-1.0"),
    ] {
        // While another branch is the default one.
        built(&scene, other, 20, "main").await;
        assert_eq!(holder(&scene, tag).await, format!("{other} 20"));
        let tx = scene.app.db.begin().await.unwrap();
        db::sources::set_default_branch(&tx, scene.wired().source.id, default).await.unwrap();
        tx.commit().await.unwrap();
        let branch = format!("refs/heads/{default}");
        built(&scene, &branch, 10, default).await;
        assert_eq!(holder(&scene, tag).await, format!("{branch} 10"));
        let later = built(&scene, other, 21, default).await;
        assert_eq!(holder(&scene, tag).await, format!("{branch} 10"));
        let detail = later.detail.unwrap();
        assert!(detail.contains("the default branch wins over other refs"), "{detail}");
    }
}

#[tokio::test]
async fn no_ref_takes_the_tag_of_a_signature() {
    let scene = Scene::new().await;
    let release = built(&scene, "refs/tags/v1.0.0", 1, "main").await.digest.unwrap();
    let repository = scene.wired().repository.id;
    let signatures = release.replace(':', "-") + ".sig";
    let before = db::tags::find(&scene.app.db, repository, &signatures).await.unwrap().unwrap();
    for name in [format!("refs/heads/{signatures}"), format!("refs/tags/{}", release.replace(':', "-"))] {
        built(&scene, &name, 2, "main").await;
    }
    assert_eq!(db::tags::find(&scene.app.db, repository, &signatures).await.unwrap().unwrap(), before);
    let index = db::tags::find(&scene.app.db, repository, &release.replace(':', "-")).await.unwrap();
    assert!(index.is_none());
}

#[tokio::test]
async fn a_ref_that_was_deleted_is_forgotten_after_ninety_days() {
    let scene = Scene::new().await;
    let source_id = scene.wired().source.id;
    let main = async || db::sources::refs::find(&scene.app.db, source_id, "refs/heads/main").await.unwrap();
    let forget = async || crate::jobs::perform_now(&scene.app, &crate::jobs::Task::ForgetOld).await.unwrap();
    scene.app.clock.advance(100 * crate::clock::DAY);
    forget().await;
    let known = main().await.expect("it is there, however old it is");
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::refs::mark_deleted(&tx, known.id, scene.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    scene.app.clock.advance(89 * crate::clock::DAY);
    forget().await;
    assert!(main().await.is_some(), "it may come back");
    scene.app.clock.advance(2 * crate::clock::DAY);
    forget().await;
    assert_eq!(main().await, None);
}
