//! What goes wrong at a forge, and how it comes right again.

use super::*;
use crate::db::{HookState, Role, SourceState};
use crate::sources::{disconnect, listing, repair};
use slipway_forge::Permission;

crate::testing::on_postgres! {
    a_forge_that_is_down_comes_back,
    a_revoked_permission_asks_to_connect_again,
    a_code_repository_that_is_gone_is_shown_as_gone,
    a_rate_limit_is_waited_for,
    a_clock_that_was_set_back_stops_no_polling,
    a_forge_that_hangs_leaves_workers_to_other_jobs,
    a_source_is_looked_at_by_one,
    refs_that_are_gone_are_forgotten_a_hundred_at_once,
    who_repairs_a_source_replaces_a_connection_that_sees_it_no_more,
    renaming_at_the_forge_changes_nothing_here,
    letting_go_removes_the_webhook,
    code_that_turns_private_is_known_as_private_without_a_push,
    jobs_may_run_twice,
}

async fn refs_at(app: &App, head: &str) -> bool {
    let source = source_of(app, "mona/web").await.unwrap();
    db::sources::refs::live(&app.db, source.id).await.unwrap().iter().any(|r| r.commit_hash == head)
}

async fn connected(scene: &Scene) -> (Repo, Someone, RepositoryName) {
    let code = scene.code("mona", "web", true);
    let mona = scene.someone("mona").await;
    let (name, _) = scene.import(&mona, "mona/web").await.unwrap();
    scene
        .wait("the forge called", async |app| source_of(app, "mona/web").await.unwrap().hook_state == HookState::Active)
        .await;
    scene.quiet().await;
    (code, mona, name)
}

#[tokio::test]
async fn a_forge_that_is_down_comes_back() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = connected(&scene).await;
    scene.forge.set_down(true);
    let source = scene.poll("mona/web").await;
    assert_eq!(source.state, SourceState::Unreachable);
    assert!(source.state_detail.unwrap().contains("503"));
    scene.forge.set_down(false);
    let head = code.change("main").file("a", "1").quietly().commit("While away");
    // What a webhook told of in the last minute is believed more than a list; this ref is older than that by decree.
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::refs::age(&tx, source.id).await.unwrap();
    tx.commit().await.unwrap();
    let source = scene.poll("mona/web").await;
    assert_eq!(source.state, SourceState::Active);
    scene.build_of(&name, "refs/heads/main", &head).await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_stops_no_polling() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = connected(&scene).await;
    let right = scene.app.clock.now();
    scene.app.clock.set(right + 365 * crate::clock::DAY);
    let ahead = code.change("main").file("a", "1").commit("While the clock is wrong");
    scene.build_of(&name, "refs/heads/main", &ahead).await;
    scene.poll("mona/web").await;
    scene.app.clock.set(right);
    let due = crate::sources::polling::due(&scene.app, 10).await.unwrap();
    assert!(due.iter().any(|source| source.full_name == "mona/web"), "it is looked at in a year");
    // Nor is a ref that moved then taken for one that moves now.
    let head = code.change("main").file("a", "2").quietly().commit("With the right clock");
    scene.poll("mona/web").await;
    scene.build_of(&name, "refs/heads/main", &head).await;
}

#[tokio::test]
async fn a_revoked_permission_asks_to_connect_again() {
    let scene = Scene::start(NEVER).await;
    let (_, mona, _) = connected(&scene).await;
    scene.forge.revoke_tokens("mona");
    let source = scene.poll("mona/web").await;
    assert_eq!(source.state, SourceState::Disconnected);
    let connection = listing::connection(&scene.app, mona.connection_id).await.unwrap();
    assert_eq!(connection.state, ConnectionState::Revoked);
    assert!(crate::sources::clone_authorization(&scene.app, &source).await.is_err());

    // The newest token replaces the stored one, and polling finds out by itself.
    let token = Secret::new(scene.forge.token_for("mona", &["repo", "read:org"]));
    let place = Place { table: "connection", column: "token_encrypted", row: mona.connection_id };
    let sealed = scene.app.master_key.seal_text(place, &token);
    let tx = scene.app.db.begin().await.unwrap();
    db::users::replace_connection_token(&tx, mona.connection_id, "repo", sealed, scene.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scene.poll("mona/web").await.state, SourceState::Active);
}

#[tokio::test]
async fn a_code_repository_that_is_gone_is_shown_as_gone() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = connected(&scene).await;
    code.delete();
    let source = scene.poll("mona/web").await;
    assert_eq!(source.state, SourceState::Gone);
    assert_eq!(scene.builds(&name).await.len(), 1);
}

#[tokio::test]
async fn a_rate_limit_is_waited_for() {
    let scene = Scene::start(NEVER).await;
    let (_, mona, _) = connected(&scene).await;
    scene.forge.fail_next_at("/branches", 1, 429);
    let source = scene.poll("mona/web").await;
    assert_eq!(source.state, SourceState::Active);
    assert!(source.polled_at.unwrap() > scene.app.clock.now());
    // A job waits as long as the forge asks, and then goes on.
    scene.forge.fail_next_at("/user/repos", 1, 429);
    scene.listed(&mona, "mona/web").await;
    scene
        .wait("the listing ended well", async |app| {
            listing::connection(app, mona.connection_id).await.unwrap().listing_error.is_none()
        })
        .await;
}

#[tokio::test]
async fn a_forge_that_hangs_leaves_workers_to_other_jobs() {
    let scene = Scene::start(NEVER).await;
    connected(&scene).await;
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::forget_polls(&tx).await.unwrap();
    tx.commit().await.unwrap();
    scene.forge.hang_next(100, Duration::from_mins(1));
    for _ in 0..6 {
        scene.ask_for(Task::PollDueSources).await;
    }
    scene.ask_for(Task::Prune).await;
    scene.wait("all jobs but one are done", async |app| db::jobs::count_open(&app.db).await.unwrap() == 1).await;
    assert!(scene.source("mona/web").await.polled_at.is_some(), "it is known to be looked at");
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::forget_polls(&tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!crate::sources::polling::is_wanted(&scene.app).await.unwrap(), "one pass at a time");
    scene.forge.heal();
}

#[tokio::test]
async fn refs_that_are_gone_are_forgotten_a_hundred_at_once() {
    let scene = Scene::start(NEVER).await;
    connected(&scene).await;
    let source = scene.source("mona/web").await;
    let gone = |n: i64| rows::SourceRef {
        id: Uuid::now_v7(),
        source_id: source.id,
        name: format!("refs/heads/gone-{n}"),
        commit_hash: "0".repeat(40),
        number: n,
        updated_at: 0,
        deleted_at: None,
    };
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::refs::insert_all(&tx, (0..250).map(gone).collect()).await.unwrap();
    tx.commit().await.unwrap();
    scene.app.db.largest_change();
    let forgetful = rows::Source { poll_etag: None, ..source.clone() };
    crate::sources::polling::poll(&scene.app, &forgetful).await.unwrap();
    assert!(scene.app.db.largest_change() <= 100);
    assert_eq!(db::sources::refs::live(&scene.app.db, source.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_source_is_looked_at_by_one() {
    let scene = Scene::start(NEVER).await;
    connected(&scene).await;
    let source = scene.source("mona/web").await;
    let claim = async || {
        let tx = scene.app.db.begin().await.unwrap();
        let claimed = db::sources::claim_poll(&tx, &source, scene.app.clock.now() + 1).await.unwrap();
        tx.commit().await.unwrap();
        claimed
    };
    assert_eq!((claim().await, claim().await), (true, false));
}

#[tokio::test]
async fn who_repairs_a_source_replaces_a_connection_that_sees_it_no_more() {
    let scene = Scene::start(NEVER).await;
    scene.forge.person("owner");
    let code = scene.code("owner", "web", true);
    let person = |login| scene.forge.person(login);
    code.collaborator(&person("mona"), Permission::Admin);
    code.collaborator(&person("lisa"), Permission::Admin);
    let (mona, lisa) = (scene.someone("mona").await, scene.someone("lisa").await);
    let (name, _) = scene.import(&mona, "owner/web").await.unwrap();
    scene.give(&lisa, &name, Role::Admin).await;
    let allowed = scene.admin(&lisa, &name).await;
    repair(&scene.app, &allowed).await.unwrap();
    assert_eq!(scene.source("owner/web").await.connection_id, Some(mona.connection_id), "it works as it is");
    scene.quiet().await;

    code.collaborator(&person("mona"), Permission::None);
    assert_eq!(scene.poll("owner/web").await.state, SourceState::Gone);
    repair(&scene.app, &allowed).await.unwrap();
    assert_eq!(scene.source("owner/web").await.connection_id, Some(lisa.connection_id));
    assert_eq!(scene.poll("owner/web").await.state, SourceState::Active);
}

#[tokio::test]
async fn renaming_at_the_forge_changes_nothing_here() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = connected(&scene).await;
    let source = scene.source("mona/web").await;
    code.rename("site");
    let head = code.commit("main", &[("a", "1")], "After the move");
    scene.build_of(&name, "refs/heads/main", &head).await;
    crate::sources::polling::poll(&scene.app, &source).await.unwrap();
    assert_eq!(scene.source("mona/site").await.id, source.id);
}

#[tokio::test]
async fn code_that_turns_private_is_known_as_private_without_a_push() {
    let scene = Scene::start(NEVER).await;
    let (code, ..) = connected(&scene).await;
    code.set_private_quietly(false);
    let head = code.commit("main", &[("a", "1")], "Open it");
    scene.wait("the push came in", async |app| refs_at(app, &head).await).await;
    for _ in 0..2 {
        scene.poll("mona/web").await;
    }
    assert!(!scene.source("mona/web").await.is_private);
    code.set_private_quietly(true);
    let source = scene.source("mona/web").await;
    assert!(source.poll_etag.is_some(), "the forge is asked what changed");
    // As long ago as the comparison with a working webhook is.
    let long_ago = rows::Source { polled_at: source.polled_at.map(|at| at - 15 * crate::clock::MINUTE), ..source };
    crate::sources::polling::poll(&scene.app, &long_ago).await.unwrap();
    assert!(scene.source("mona/web").await.is_private);
}

#[tokio::test]
async fn letting_go_removes_the_webhook() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = connected(&scene).await;
    let source = scene.source("mona/web").await;
    assert_eq!(code.hooks().len(), 1);
    let tx = scene.app.db.begin().await.unwrap();
    disconnect(&scene.app, &tx, source.id).await.unwrap();
    tx.commit().await.unwrap();
    scene.wait("the hook is gone", async |_| code.hooks().is_empty()).await;
    assert!(source_of(&scene.app, "mona/web").await.is_none());
    assert_eq!(scene.builds(&name).await[0].source_id, None, "builds stay");
}

#[tokio::test]
async fn jobs_may_run_twice() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, name) = connected(&scene).await;
    let source_id = scene.source("mona/web").await.id;
    let build_id = scene.builds(&name).await[0].id;
    let delivery_id = Uuid::now_v7();
    for task in [
        Task::EnsureHook { source_id },
        Task::PollSource { source_id },
        Task::PollDueSources,
        Task::ReconcileSources,
        Task::ListRepositories { connection_id: mona.connection_id },
        Task::SetCommitStatus { build_id },
        Task::ProcessDelivery { delivery_id },
    ] {
        scene.ask_for(task.clone()).await;
        scene.ask_for(task).await;
    }
    scene.quiet().await;
    assert_eq!(code.hooks().len(), 1);
    assert_eq!(scene.builds(&name).await.len(), 1);
}
