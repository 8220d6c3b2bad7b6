//! The queue: numbers, order, limits, cancelling, building again.

use super::*;
use crate::builds::fleet::Seen;
use crate::builds::{Rerun, WaitsFor, build_now, cancel, rerun, view};
use crate::db::Ask as _;
use crate::db::BuildState::{Cancelled, Failed, Queued, Running, Skipped};

crate::testing::on_postgres! {
    a_claim_carries_what_the_builder_needs,
    namespaces_take_turns_and_have_a_limit,
    only_the_first_builds_are_told_their_place,
    a_namespace_that_runs_as_much_as_it_may_lacks_no_builder,
    a_newer_commit_takes_older_builds_out_of_the_queue,
    only_a_builder_with_the_platform_gets_the_build,
    a_build_without_its_source_fails_with_a_reason,
    cancelling_twice_is_as_once,
    again_has_two_meanings,
    a_build_is_run_again_while_a_push_is_taken_in,
    a_platform_that_the_only_builder_does_not_have_is_refused,
    a_build_that_a_server_of_the_version_before_made_joins_the_queue,
}

#[tokio::test]
async fn a_claim_carries_what_the_builder_needs() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    assert_eq!(assignment.title, "acme/web build 1");
    assert_eq!(assignment.build_id, build.id);
    assert_eq!(assignment.push.host, "localhost:8080");
    assert_eq!(assignment.push.public_host, "localhost:8080");
    assert!(assignment.push.insecure);
    assert_eq!(assignment.cache.reference, format!("buildcache/{}/protected:cache", build.repository_id.simple()));
    assert_eq!(assignment.trust_domain, format!("{}:protected", build.repository_id));
    assert_eq!(assignment.target.platforms, ["linux/amd64"]);
    assert_eq!(scene.build(build.id).await.state, Running);
    assert!(scene.claim().await.is_none(), "a build is handed out once");
}

#[tokio::test]
async fn namespaces_take_turns_and_have_a_limit() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let (a, b) = (scene.repositories[0].clone(), scene.repositories[1].clone());
    for n in 1..=3 {
        // Refs of their own: builds of one ref supersede each other.
        let mut a = a.clone();
        a.rule.id = Uuid::now_v7();
        let tx = scene.app.db.begin().await.unwrap();
        let present = rows::SourceRef {
            id: Uuid::now_v7(),
            source_id: a.source.id,
            name: format!("refs/heads/x{n}"),
            commit_hash: COMMIT.into(),
            number: n,
            updated_at: 0,
            deleted_at: None,
        };
        let mut source = a.source.clone();
        source.id = Uuid::now_v7();
        source.remote_id = format!("other {n}");
        a.rule.source_id = source.id;
        db::build_inputs::insert(&tx, source, a.rule.clone(), present).await.unwrap();
        tx.commit().await.unwrap();
        scene.queue_in(&a, n).await;
    }
    scene.queue_in(&b, 1).await;
    let mut titles = Vec::new();
    while let Some(assignment) = scene.claim().await {
        titles.push(assignment.title);
    }
    assert_eq!(titles, ["acme/web build 1", "globex/web build 1", "acme/web build 2"]);
    let waiting = view::find_by_number(&scene.app, a.repository.id, 3).await.unwrap().unwrap();
    assert_eq!(view::Queue::default().place_of(&scene.app, &waiting).await.unwrap(), Some(0));
}

#[tokio::test]
async fn only_the_first_builds_are_told_their_place() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let (acme, globex) = (scene.repositories[0].clone(), scene.repositories[1].clone());
    let mut waiting = Vec::new();
    let tx = scene.app.db.begin().await.unwrap();
    for n in 1..=52 {
        let new = NewBuild { ref_name: format!("refs/heads/x{n}").parse().unwrap(), ..new_build(&acme, n) };
        waiting.push(enqueue(&scene.app, &tx, &Principal::SYSTEM, new).await.unwrap());
    }
    tx.commit().await.unwrap();
    let other = scene.queue_in(&globex, 1).await;
    let place = async |build: &rows::Build| view::Queue::default().place_of(&scene.app, build).await.unwrap();
    assert_eq!((place(&waiting[0]).await, place(&other).await), (Some(0), Some(1)));
    assert_eq!((place(&waiting[1]).await, place(&waiting[49]).await), (Some(2), Some(50)));
    assert_eq!((place(&waiting[50]).await, place(&waiting[51]).await), (None, None));
    // A page that was asked for a moment before still holds it as waiting.
    scene.claim().await.unwrap();
    assert_eq!((place(&waiting[0]).await, place(&waiting[51]).await), (Some(0), None));
}

#[tokio::test]
async fn a_namespace_that_runs_as_much_as_it_may_lacks_no_builder() {
    let scene = Scene::with("[builds]\nper_namespace = 1").await;
    scene.queue(1).await;
    scene.claim().await.unwrap();
    let waiting = scene.queue(2).await;
    let why = async || view::why_waiting(&scene.app, &waiting).await.unwrap();
    assert_eq!(why().await, Some(WaitsFor::Builder("no builder is connected".to_owned())));
    let (name, platforms) = ("a".to_owned(), vec!["linux/amd64".to_owned()]);
    let at = scene.app.clock.now();
    scene.app.builders.asked(Seen { name, at, platforms, slots: 2, unable: None });
    assert_eq!(why().await, Some(WaitsFor::Namespace { name: "acme".to_owned(), running: 1 }));
}

#[tokio::test]
async fn a_newer_commit_takes_older_builds_out_of_the_queue() {
    let scene = Scene::new().await;
    let running = scene.queue(1).await;
    scene.claim().await.unwrap();
    let overtaken = scene.queue(2).await;
    let newest = scene.queue(3).await;
    assert_eq!(scene.build(running.id).await.state, Running, "what runs goes on");
    let overtaken = scene.build(overtaken.id).await;
    assert_eq!((overtaken.state, overtaken.superseded_by), (Skipped, Some(newest.id)));
    assert_eq!(overtaken.reason.as_deref(), Some("superseded"));
    assert_eq!(scene.build(newest.id).await.state, Queued);
}

#[tokio::test]
async fn only_a_builder_with_the_platform_gets_the_build() {
    let scene = Scene::with("[builder]\ntokens = \"0123456789abcdef0123456789abcdef\"").await;
    scene.queue(1).await;
    let claimed = queue::claim_next(&scene.app, "arm", &["linux/arm64".into()]).await.unwrap();
    assert!(claimed.is_none());
    assert!(scene.claim().await.is_some());
}

#[tokio::test]
async fn a_build_without_its_source_fails_with_a_reason() {
    let scene = Scene::new().await;
    let mut wired = scene.wired().clone();
    let build = scene.queue_in(&wired, 1).await;
    wired.source.id = Uuid::now_v7();
    let tx = scene.app.db.begin().await.unwrap();
    db::build_inputs::forget_source(&tx, scene.wired().source.id).await.unwrap();
    tx.commit().await.unwrap();
    assert!(scene.claim().await.is_none());
    let build = scene.build(build.id).await;
    assert_eq!((build.state, build.reason.as_deref()), (Failed, Some("source_unavailable")));
}

#[tokio::test]
async fn cancelling_twice_is_as_once() {
    let scene = Scene::new().await;
    let allowed = scene.manager();
    let waiting = scene.queue(1).await;
    let first = cancel(&scene.app, &allowed, waiting.number).await.unwrap();
    let second = cancel(&scene.app, &allowed, waiting.number).await.unwrap();
    assert_eq!(first.state, Cancelled);
    assert_eq!(second, scene.build(waiting.id).await);
    assert_eq!(second.detail.as_deref(), Some("cancelled by mona"));

    let running = scene.queue(2).await;
    let assignment = scene.claim().await.unwrap();
    let first = cancel(&scene.app, &allowed, running.number).await.unwrap();
    let second = cancel(&scene.app, &allowed, running.number).await.unwrap();
    assert_eq!((first.state, &first), (Running, &second));
    let attempt = scene.attempt(assignment.attempt_id).await;
    assert!(crate::builds::lease::heartbeat(&scene.app, &attempt).await.unwrap().cancel);
    assert_eq!(scene.finish(attempt.id, slipway_protocol::Outcome::Cancelled).await.unwrap(), "cancelled");
}

#[tokio::test]
async fn again_has_two_meanings() {
    let scene = Scene::new().await;
    let allowed = scene.manager();
    let old = scene.queue(1).await;
    let same = rerun(&scene.app, &allowed, old.number, Rerun::SameWithoutCache).await.unwrap();
    assert_eq!((same.number, same.ref_number, same.rerun_of), (2, 1, Some(old.id)));
    assert_eq!(same.rule_snapshot, old.rule_snapshot);
    assert!(same.no_cache);
    let newest = rerun(&scene.app, &allowed, old.number, Rerun::Newest).await.unwrap();
    assert_eq!((newest.number, newest.ref_number), (3, 9));
    assert_eq!(newest.commit_title, "Say hello", "known from the same commit");
    let now = build_now(&scene.app, &allowed, &"refs/heads/main".parse().unwrap(), true).await.unwrap();
    assert!(now.no_cache);
    assert_eq!((now.number, now.trigger), (4, Trigger::Manual));
    assert!(build_now(&scene.app, &allowed, &"refs/heads/gone".parse().unwrap(), false).await.is_err());
}

#[tokio::test]
async fn a_build_is_run_again_while_a_push_is_taken_in() {
    let scene = Scene::new().await;
    // SQLite has one writer.
    if !scene.app.db.is_postgres() {
        return;
    }
    let old = scene.queue(1).await;
    let push = scene.app.db.begin().await.unwrap();
    db::sources::lock(&push, scene.wired().source.id).await.unwrap();
    // It holds the repository and refers to the source, while a push goes the other way.
    let allowed = scene.manager();
    let again = rerun(&scene.app, &allowed, old.number, Rerun::Same);
    let again = tokio::time::timeout(std::time::Duration::from_secs(10), again).await;
    assert_eq!(again.expect("it does not wait for the push").unwrap().number, 2);
}

#[tokio::test]
async fn a_platform_that_the_only_builder_does_not_have_is_refused() {
    let mut scene = Scene::new().await;
    scene.repositories[0].rule.platforms = "linux/amd64,linux/s390x".into();
    let build = scene.queue(1).await;
    assert!(scene.claim().await.is_none());
    let refused = scene.build(build.id).await;
    // Another server on the same PostgreSQL may have a builder for it.
    if scene.app.db.is_postgres() {
        assert_eq!((refused.state, refused.reason), (Queued, None));
        return;
    }
    assert_eq!((refused.state, refused.reason.as_deref()), (Failed, Some("platform_unsupported")));
    assert_eq!(refused.detail.unwrap(), "linux/s390x cannot be built on this machine, which builds linux/amd64");
}

#[tokio::test]
async fn a_build_that_a_server_of_the_version_before_made_joins_the_queue() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    db::connect::execute(&scene.app.db, "UPDATE build SET namespace_id = NULL").await;
    assert!(scene.claim().await.is_none());
    crate::jobs::perform_now(&scene.app, &crate::jobs::Task::SweepLeases).await.unwrap();
    assert_eq!(scene.build(build.id).await.namespace_id, Some(scene.wired().namespace.id));
    assert_eq!(scene.claim().await.unwrap().build_id, build.id);
}

#[tokio::test]
async fn a_build_that_is_run_again_is_in_a_namespace_even_if_the_old_one_is_in_none() {
    let scene = Scene::new().await;
    let old = scene.queue(1).await;
    db::connect::execute(&scene.app.db, "UPDATE build SET namespace_id = NULL").await;
    let again = rerun(&scene.app, &scene.manager(), old.number, Rerun::Same).await.unwrap();
    assert_eq!(again.namespace_id, Some(scene.wired().namespace.id));
}
