//! Pushes, by webhook and by polling.

use super::*;
use crate::db::HookState;

crate::testing::on_postgres! {
    a_push_that_the_forge_tells_of_is_built,
    what_shall_not_be_built_is_noted,
    a_release_is_built_whatever_its_commit_asks_for,
    a_release_is_built_though_a_branch_has_its_short_tag,
    the_default_branch_is_built_though_another_one_has_its_tag,
    a_refused_webhook_is_replaced_by_polling,
    a_comparison_finds_what_no_webhook_told,
}

async fn connected(scene: &Scene) -> (Repo, Someone, RepositoryName) {
    let code = scene.code("mona", "web", true);
    let mona = scene.someone("mona").await;
    let (name, _) = scene.import(&mona, "mona/web").await.unwrap();
    (code, mona, name)
}

pub(super) async fn hooked(scene: &Scene) -> (Repo, Someone, RepositoryName) {
    let all = connected(scene).await;
    scene
        .wait("the forge called", async |app| source_of(app, "mona/web").await.unwrap().hook_state == HookState::Active)
        .await;
    // What was pushed before is looked for once.
    scene.quiet().await;
    all
}

#[tokio::test]
async fn a_push_that_the_forge_tells_of_is_built() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let before = scene.forge.requests("/commits");
    let head = code.commit("main", &[("a", "1")], "Change a\n\nIn two paragraphs.");
    let build = scene.build_of(&name, "refs/heads/main", &head).await;
    assert_eq!((build.number, build.commit_title.as_str(), build.trigger), (2, "Change a", db::Trigger::Push));
    assert_eq!(scene.forge.requests("/commits"), before, "the delivery says all that is needed");
    let first = scene.builds(&name).await.pop().unwrap();
    assert_eq!((first.state, first.superseded_by), (BuildState::Skipped, Some(build.id)));

    let branch = code.commit("feature/x", &[("b", "1")], "Branch off");
    let other = scene.build_of(&name, "refs/heads/feature/x", &branch).await;
    assert!(other.ref_number > build.ref_number);
    assert!(is_queued(&scene.builds(&name).await[1]), "another branch takes nothing from the queue");

    code.annotated_tag("v1.0.0", &head, "First release");
    scene.build_of(&name, "refs/tags/v1.0.0", &head).await;

    code.set_branch("main", &branch);
    let forced = scene.build_of(&name, "refs/heads/main", &branch).await;
    assert!(forced.ref_number > build.ref_number);
    scene.quiet().await;
    let count = scene.builds(&name).await.len();

    code.delete_branch("feature/x");
    let source = scene.source("mona/web").await;
    scene
        .wait("the branch is gone", async |app| {
            db::sources::refs::find(&app.db, source.id, "refs/heads/feature/x")
                .await
                .unwrap()
                .unwrap()
                .deleted_at
                .is_some()
        })
        .await;
    for delivery in scene.forge.deliveries_sent().await {
        scene.forge.redeliver(delivery.id);
    }
    scene.quiet().await;
    assert_eq!(scene.builds(&name).await.len(), count, "nothing is built twice");
}

#[tokio::test]
async fn what_shall_not_be_built_is_noted() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let head = code.commit("main", &[("a", "1")], "Fix a typo [skip ci]");
    let build = scene.build_of(&name, "refs/heads/main", &head).await;
    assert_eq!((build.state, build.reason.as_deref()), (BuildState::Skipped, Some("skip_ci")));
    assert!(is_queued(&scene.builds(&name).await[1]), "the commit before it is still built");

    let one = code.commit("a/b", &[("a", "2")], "One");
    assert!(is_queued(&scene.build_of(&name, "refs/heads/a/b", &one).await));
    let two = code.commit("a-b", &[("a", "3")], "Two");
    let clash = scene.build_of(&name, "refs/heads/a-b", &two).await;
    assert_eq!((clash.state, clash.reason.as_deref()), (BuildState::Skipped, Some("tag_collision")));
    assert!(clash.detail.unwrap().contains("`a/b`"));
}

#[tokio::test]
async fn a_release_is_built_whatever_its_commit_asks_for() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    // As semantic-release does it: the version is written by a commit that shall not be built, and tagged.
    let head = code.commit("main", &[("version", "1.4.0")], "chore(release): 1.4.0 [skip ci]");
    let branch = scene.build_of(&name, "refs/heads/main", &head).await;
    assert_eq!((branch.state, branch.reason.as_deref()), (BuildState::Skipped, Some("skip_ci")));
    code.tags(&["v1.4.0", "nightly"], &head);
    code.annotated_tag("v1.4.1", &head, "Release [skip ci]");
    for tag in ["v1.4.0", "nightly", "v1.4.1"] {
        let release = scene.build_of(&name, &format!("refs/tags/{tag}"), &head).await;
        assert!(is_queued(&release), "{tag}: {:?}", release.detail);
    }
    code.set_branch("topic", &head);
    let topic = scene.build_of(&name, "refs/heads/topic", &head).await;
    assert_eq!(topic.reason.as_deref(), Some("skip_ci"), "a new branch is a branch");
}

#[tokio::test]
async fn a_release_is_built_though_a_branch_has_its_short_tag() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let one = code.commit("2", &[("a", "1")], "One");
    assert!(is_queued(&scene.build_of(&name, "refs/heads/2", &one).await));
    code.tags(&["v2.0.0"], &one);
    let release = scene.build_of(&name, "refs/tags/v2.0.0", &one).await;
    assert!(is_queued(&release), "{:?}", release.detail);
    let two = code.commit("2", &[("a", "2")], "Two");
    let late = scene.build_of(&name, "refs/heads/2", &two).await;
    assert_eq!((late.state, late.reason.as_deref()), (BuildState::Skipped, Some("tag_collision")));
    let detail = late.detail.unwrap();
    assert!(detail.contains("`v2.0.0` has the tag `2`: versions win over branches"), "{detail}");
}

#[tokio::test]
async fn the_default_branch_is_built_though_another_one_has_its_tag() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let one = code.commit("latest", &[("a", "1")], "One");
    // The default branch has `latest` already.
    let early = scene.build_of(&name, "refs/heads/latest", &one).await;
    assert_eq!((early.state, early.reason.as_deref()), (BuildState::Skipped, Some("tag_collision")));
    code.set_default_branch("develop");
    // First seen after the branch `latest`.
    let two = code.commit("develop", &[("a", "2")], "Two");
    let build = scene.build_of(&name, "refs/heads/develop", &two).await;
    assert!(is_queued(&build), "{:?}", build.detail);
    let three = code.commit("latest", &[("a", "3")], "Three");
    let late = scene.build_of(&name, "refs/heads/latest", &three).await;
    assert_eq!((late.state, late.reason.as_deref()), (BuildState::Skipped, Some("tag_collision")));
    let detail = late.detail.unwrap();
    assert!(detail.contains("`develop` has the tag `latest`: the default branch wins"), "{detail}");
}

#[tokio::test]
async fn a_refused_webhook_is_replaced_by_polling() {
    let scene = Scene::start(1).await;
    scene.forge.refuse_local_hooks(true);
    let (code, mona, name) = connected(&scene).await;
    scene
        .wait("the hook is refused", async |app| {
            source_of(app, "mona/web").await.unwrap().hook_state == HookState::Refused
        })
        .await;
    assert!(scene.source("mona/web").await.hook_detail.is_some());
    let _schedule = jobs::start_schedule(&scene.app.app).await.unwrap();
    let head = code.commit("main", &[("a", "1")], "Change a");
    let build = scene.build_of(&name, "refs/heads/main", &head).await;
    assert_eq!(build.commit_title, "Change a");
    assert_eq!(build.commit_author, scene.builds(&name).await.pop().unwrap().commit_author);

    scene.forge.refuse_local_hooks(false);
    crate::sources::repair(&scene.app, &scene.admin(&mona, &name).await).await.unwrap();
    scene
        .wait("the hook works", async |app| source_of(app, "mona/web").await.unwrap().hook_state == HookState::Active)
        .await;
}

#[tokio::test]
async fn a_comparison_finds_what_no_webhook_told() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let head = code.head("main").unwrap();
    // GitHub says nothing about more than three tags at once.
    code.tags(&["v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0"], &head);
    scene.quiet().await;
    assert_eq!(scene.builds(&name).await.len(), 1);
    scene.poll("mona/web").await;
    assert_eq!(scene.builds(&name).await.len(), 5);
    let source = scene.poll("mona/web").await;
    assert_eq!(scene.builds(&name).await.len(), 5);
    assert_eq!(source.hook_state, HookState::Active, "missing tags are no fault of the hook");

    // The memory of the last comparison makes the next one cheap.
    let before = scene.forge.requests("/tags");
    scene.poll("mona/web").await;
    assert!(source.poll_etag.is_some());
    assert_eq!(scene.forge.requests("/tags"), before + 1);

    code.remove_hooks();
    let head = code.commit("other", &[("a", "1")], "Nobody told");
    let source = scene.poll("mona/web").await;
    scene.build_of(&name, "refs/heads/other", &head).await;
    assert_ne!(source.hook_state, HookState::Refused);
    scene
        .wait("the hook was made again", async |app| {
            code.hooks().len() == 1 && source_of(app, "mona/web").await.unwrap().hook_state == HookState::Active
        })
        .await;
}

#[tokio::test]
async fn a_push_before_the_webhook_was_made_is_found() {
    let scene = Scene::start(NEVER).await;
    let code = scene.code("mona", "web", true);
    let mona = scene.someone("mona").await;
    // It is tried again in two seconds.
    scene.forge.fail_next_at("/hooks", 1, 500);
    let (name, _) = scene.import(&mona, "mona/web").await.unwrap();
    let head = code.change("early").file("a", "1").quietly().commit("Nobody listens yet");
    scene.build_of(&name, "refs/heads/early", &head).await;
}

#[tokio::test]
async fn a_push_soon_after_another_is_found_without_its_webhook() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let first = code.commit("main", &[("a", "1")], "Told");
    scene.build_of(&name, "refs/heads/main", &first).await;
    let second = code.change("main").file("a", "2").quietly().commit("Nobody told");
    // The list may be older than the delivery, so this look leaves the branch alone; the next one comes in a minute.
    let source = scene.poll("mona/web").await;
    assert_eq!(scene.builds(&name).await.len(), 2);
    assert_eq!(source.poll_etag, None, "the next look must not hear that nothing changed");
    let in_a_minute = scene.app.clock.now() + crate::clock::MINUTE;
    let due =
        db::sources::due(&scene.app.db, 0, 0, in_a_minute - 15 * crate::clock::MINUTE, i64::MAX, 10).await.unwrap();
    assert!(due.iter().any(|due| due.id == source.id), "{:?}", source.polled_at);
    age(&scene, source.id).await;
    scene.poll("mona/web").await;
    scene.build_of(&name, "refs/heads/main", &second).await;
}

#[tokio::test]
async fn a_branch_deleted_soon_after_a_push_is_found_without_its_webhook() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    // The forge's list will be again as it was now.
    assert!(scene.poll("mona/web").await.poll_etag.is_some());
    let head = code.commit("short", &[("a", "1")], "Told");
    scene.build_of(&name, "refs/heads/short", &head).await;
    scene.quiet().await;
    code.remove_hooks();
    code.delete_branch("short");
    let source = scene.poll("mona/web").await;
    assert!(is_queued(&scene.builds(&name).await[0]));
    age(&scene, source.id).await;
    scene.poll("mona/web").await;
    let build = scene.builds(&name).await.remove(0);
    assert_eq!((build.state, build.reason.as_deref()), (BuildState::Cancelled, Some("ref_deleted")));
}

/// What a webhook told of in the last minute is believed more than a list; the refs are older than that by decree.
async fn age(scene: &Scene, source_id: Uuid) {
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::refs::age(&tx, source_id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn builds_of_a_deleted_branch_that_wait_are_cancelled_with_the_cause() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let head = code.commit("gone", &[("a", "1")], "Begin");
    scene.build_of(&name, "refs/heads/gone", &head).await;
    code.delete_branch("gone");
    scene
        .wait("its build is cancelled", async |app| builds_of(app, &name).await[0].state == BuildState::Cancelled)
        .await;
    let builds = scene.builds(&name).await;
    assert_eq!(builds[0].reason.as_deref(), Some("ref_deleted"));
    assert_eq!(builds[0].detail.as_deref(), Some("the branch `gone` was deleted"));
    assert!(is_queued(&builds[1]), "those of other branches wait on");
}
