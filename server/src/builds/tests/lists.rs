//! What the list of builds finds.

use super::{Principal, Scene, Wired, new_build};
use crate::builds::{NewBuild, Search, Told, enqueue, failed_of_user, open_in, running_of_user, search};
use crate::db::{self, BuildState, Role, rows};
use crate::testing;
use uuid::Uuid;

crate::testing::on_postgres! {
    builds_are_found_by_branch_title_commit_and_number,
    builds_are_found_by_state_and_branch,
    what_is_not_told_of_commits_is_not_found_by_it_either,
    builds_that_a_list_leaves_out_are_counted,
    a_failed_build_is_listed_until_a_newer_one_of_its_ref,
    builds_of_private_repositories_are_listed_to_those_with_a_role,
    a_ref_that_fails_again_and_again_hides_no_failure_of_another_namespace,
}

#[tokio::test]
async fn builds_are_found_by_branch_title_commit_and_number() {
    let scene = Scene::new().await;
    let wired = scene.wired();
    let tx = scene.app.db.begin().await.unwrap();
    let other = NewBuild {
        ref_name: "refs/heads/login_page".parse().unwrap(),
        commit: "abcdef0123456789abcdef0123456789abcdef01".parse().unwrap(),
        title: "Let people in: Übergang".into(),
        ..new_build(wired, 2)
    };
    for new in [new_build(wired, 1), other] {
        enqueue(&scene.app, &tx, &Principal::SYSTEM, new).await.unwrap();
    }
    tx.commit().await.unwrap();
    let found = async |text: &str| numbers(&scene, Search { text, told: Told::All, ..Search::default() }).await;
    assert_eq!(found("LOGIN_").await, [2]);
    assert_eq!(found("people").await, [2]);
    assert_eq!(found("Über").await, [2]);
    assert_eq!(found("abcdef0").await, [2]);
    assert_eq!(found("bcdef0").await, [0_i64; 0], "a commit is found from its beginning");
    assert_eq!(found("#1").await, [1]);
    assert_eq!(found("%").await, [0_i64; 0]);
    assert_eq!(found("refs").await, [2, 1]);
    assert_eq!(found("Queued").await, [2, 1], "their state");
}

async fn numbers(scene: &Scene, wanted: Search<'_>) -> Vec<i64> {
    let (builds, total) = search(&scene.app, scene.wired().repository.id, wanted, 0, 30).await.unwrap();
    assert_eq!(builds.len() as u64, total);
    builds.iter().map(|build| build.number).collect()
}

#[tokio::test]
async fn builds_are_found_by_state_and_branch() {
    let scene = Scene::new().await;
    let states = [BuildState::Failed, BuildState::Succeeded, BuildState::Failed, BuildState::TimedOut];
    let refs = ["refs/heads/main", "refs/heads/main", "refs/heads/feature/login", "refs/tags/main"];
    for (number, (state, name)) in (1..).zip(states.into_iter().zip(refs)) {
        let build = rows::Build { state, ..enqueued(&scene, name, number).await };
        let tx = scene.app.db.begin().await.unwrap();
        db::builds::save(&tx, &build).await.unwrap();
        tx.commit().await.unwrap();
    }
    let found = async |state: Option<BuildState>, branch: &str| {
        numbers(&scene, Search { branch, state, ..Search::default() }).await
    };
    let failed = Some(BuildState::Failed);
    assert_eq!(found(failed, "").await, [3, 1]);
    assert_eq!(found(failed, "main").await, [1]);
    assert_eq!(found(None, "main").await, [2, 1], "the branch, not the tag of that name");
    assert_eq!(found(None, "refs/tags/main").await, [4]);
    assert_eq!(found(None, "feature/login").await, [3]);
    assert_eq!(found(None, "log").await, [3], "a part of a name, where nothing is called so");
    assert_eq!(found(Some(BuildState::Skipped), "").await, [0_i64; 0]);
    let timed_out = Search { text: "timed out", ..Search::default() };
    assert_eq!(numbers(&scene, timed_out).await, [4]);
    let page = Search { state: failed, ..Search::default() };
    let (second, total) = search(&scene.app, scene.wired().repository.id, page, 1, 1).await.unwrap();
    assert_eq!((second[0].number, total), (1, 2));
}

#[tokio::test]
async fn what_is_not_told_of_commits_is_not_found_by_it_either() {
    let scene = Scene::new().await;
    let tx = scene.app.db.begin().await.unwrap();
    let secret = NewBuild { title: "Buy Globex".into(), ..new_build(scene.wired(), 1) };
    enqueue(&scene.app, &tx, &Principal::SYSTEM, secret).await.unwrap();
    tx.commit().await.unwrap();
    let found = async |text: &str, told| numbers(&scene, Search { text, told, ..Search::default() }).await;
    let source = scene.wired().source.id;
    for (told, is_found) in
        [(Told::All, true), (Told::Of(source), true), (Told::Of(Uuid::now_v7()), false), (Told::Nobody, false)]
    {
        for text in ["globex", "11111111"] {
            assert_eq!(!found(text, told).await.is_empty(), is_found, "{text} {told:?}");
        }
        assert_eq!(found("1111111", told).await, [1], "the short hash is on every page");
        assert_eq!(found("main", told).await, [1]);
    }
}

/// A person with a role where the builds are.
async fn member(scene: &Scene) -> Uuid {
    let user = testing::user("lisa");
    let tx = scene.app.db.begin().await.unwrap();
    db::users::insert(&tx, user.clone()).await.unwrap();
    for wired in &scene.repositories {
        let grant = rows::Grant::given(wired.namespace.id, user.id, Role::Reader, 1);
        db::namespaces::insert_grant(&tx, grant).await.unwrap();
    }
    tx.commit().await.unwrap();
    user.id
}

async fn enqueued(scene: &Scene, ref_name: &str, number: i64) -> rows::Build {
    enqueued_in(scene, scene.wired(), ref_name, number).await
}

async fn enqueued_in(scene: &Scene, wired: &Wired, ref_name: &str, number: i64) -> rows::Build {
    let tx = scene.app.db.begin().await.unwrap();
    let new = NewBuild { ref_name: ref_name.parse().unwrap(), ..new_build(wired, number) };
    let build = enqueue(&scene.app, &tx, &Principal::SYSTEM, new).await.unwrap();
    tx.commit().await.unwrap();
    build
}

#[tokio::test]
async fn builds_that_a_list_leaves_out_are_counted() {
    let scene = Scene::new().await;
    let lisa = member(&scene).await;
    for n in 0..62 {
        scene.app.clock.advance(1);
        enqueued(&scene, &format!("refs/heads/b{n}"), n).await;
    }
    let beside = open_in(&scene.app, scene.wired().namespace.id, true, 10).await.unwrap();
    assert_eq!((beside.shown.len(), beside.more), (10, 52));
    assert_eq!(beside.shown[0].build.ref_name, "refs/heads/b61");
    let home = running_of_user(&scene.app, lisa).await.unwrap();
    assert_eq!((home.shown.len(), home.more), (50, 12));
    let stranger = running_of_user(&scene.app, Uuid::now_v7()).await.unwrap();
    assert_eq!((stranger.shown.len(), stranger.more), (0, 0));
}

#[tokio::test]
async fn a_failed_build_is_listed_until_a_newer_one_of_its_ref() {
    let scene = Scene::new().await;
    let lisa = member(&scene).await;
    let ended = async |ref_name: &str, number: i64, state: BuildState| {
        let build = rows::Build { state, ..enqueued(&scene, ref_name, number).await };
        let tx = scene.app.db.begin().await.unwrap();
        db::builds::save(&tx, &build).await.unwrap();
        tx.commit().await.unwrap();
    };
    let listed = async || {
        let found = failed_of_user(&scene.app, lisa).await.unwrap();
        assert_eq!(found.more, 0);
        found.shown.iter().map(|placed| placed.build.number).collect::<Vec<_>>()
    };
    ended("refs/heads/main", 1, BuildState::Failed).await;
    ended("refs/heads/other", 2, BuildState::TimedOut).await;
    scene.app.clock.advance(1);
    ended("refs/heads/main", 3, BuildState::Failed).await;
    assert_eq!(listed().await, [3, 2], "one of a ref");
    ended("refs/heads/main", 4, BuildState::Cancelled).await;
    ended("refs/heads/other", 5, BuildState::Succeeded).await;
    assert_eq!(listed().await, [3]);
    scene.app.clock.advance(8 * crate::clock::DAY);
    assert_eq!(listed().await, [0_i64; 0]);
}

#[tokio::test]
async fn a_ref_that_fails_again_and_again_hides_no_failure_of_another_namespace() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let lisa = member(&scene).await;
    let failed = async |wired: &Wired, number: i64| {
        scene.app.clock.advance(1);
        let build = enqueued_in(&scene, wired, "refs/heads/main", number).await;
        let tx = scene.app.db.begin().await.unwrap();
        db::builds::save(&tx, &rows::Build { state: BuildState::Failed, ..build }).await.unwrap();
        tx.commit().await.unwrap();
    };
    failed(&scene.repositories[0], 1).await;
    for number in 1..=3 {
        failed(&scene.repositories[1], number).await;
    }
    let found = db::build_lists::failed_of_user(&scene.app.db, lisa, 0, 2, 10).await.unwrap().builds;
    let found: Vec<_> = found.iter().map(|build| (build.repository_id, build.number)).collect();
    assert_eq!(found, [(scene.repositories[1].repository.id, 3), (scene.repositories[0].repository.id, 1)]);
}

#[tokio::test]
async fn builds_of_private_repositories_are_listed_to_those_with_a_role() {
    let scene = Scene::new().await;
    enqueued(&scene, "refs/heads/main", 1).await;
    let id = scene.wired().namespace.id;
    let shown = async |all: bool| open_in(&scene.app, id, all, 10).await.unwrap().shown.len();
    assert_eq!((shown(true).await, shown(false).await), (1, 0));
    let repository = scene.wired().repository.id;
    let tx = scene.app.db.begin().await.unwrap();
    db::repositories::set_visibility(&tx, repository, db::Visibility::Public, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shown(false).await, 1);
    let tx = scene.app.db.begin().await.unwrap();
    db::repositories::begin_deletion(&tx, repository, db::RepositoryState::Live).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((shown(true).await, shown(false).await), (0, 0));
}
