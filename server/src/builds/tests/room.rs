//! A disk that is almost full: what brings new data waits, and what ends work goes on.

use super::outcomes::{push, success};
use super::*;
use crate::builds::{Rerun, build_now, cancel, lease, log, rerun};
use crate::db::BuildState::{Cancelled, Queued, Succeeded};
use crate::error::Error;
use crate::jobs::{self, Task};
use crate::trust;

const PLENTY: u64 = 1 << 40;

#[tokio::test]
async fn records_wait_at_the_builder_and_none_is_lost() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let attempt = scene.attempt(id).await;
    scene.app.storage.pretend_free(0);
    let records = || batch(1, vec![started(1), line(1, 1)]);
    let refused = log::append(&scene.app, &attempt, records()).await.unwrap_err();
    assert!(refused.status() >= 500, "builders try again after it");
    lease::heartbeat(&scene.app, &attempt).await.expect("its lease goes on");
    scene.app.storage.pretend_free(PLENTY);
    assert_eq!(log::append(&scene.app, &attempt, records()).await.unwrap().acknowledged, 2);
}

#[tokio::test]
async fn a_log_is_sealed_when_there_is_room() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    log::append(&scene.app, &scene.attempt(id).await, batch(1, vec![started(1)])).await.unwrap();
    scene.app.storage.pretend_free(0);
    scene.finish(id, slipway_protocol::Outcome::TimedOut).await.expect("a build ends all the same");
    let seal = Task::SealLog { attempt_id: id };
    let refused = jobs::perform_now(&scene.app, &seal).await;
    assert!(matches!(refused, Err(jobs::JobError::Retry(Error::Full))), "{refused:?}");
    assert_eq!(log::read(&scene.app, id, 0, 10).await.unwrap().len(), 1);
    scene.app.storage.pretend_free(PLENTY);
    jobs::perform_now(&scene.app, &seal).await.unwrap();
}

#[tokio::test]
async fn what_was_built_is_signed_and_tagged_and_what_is_cancelled_ends() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    trust::make_key(&scene.app, scene.wired().namespace.id).await;
    scene.app.storage.pretend_free(0);
    scene.finish(assignment.attempt_id, success(&digest)).await.unwrap();
    assert_eq!(scene.build(build.id).await.state, Succeeded);
    let next = scene.queue(2).await;
    assert!(scene.claim().await.is_none() && scene.build(next.id).await.state == Queued);
    cancel(&scene.app, &scene.manager(), next.number).await.unwrap();
    assert_eq!(scene.build(next.id).await.state, Cancelled);
}

#[tokio::test]
async fn a_build_whose_log_found_no_room_says_so_at_its_end() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let id = scene.claim_as("far").await.unwrap().attempt_id;
    lease::sweep(&scene.app).await.unwrap();
    scene.app.storage.pretend_free(0);
    for _ in 0..8 {
        scene.app.clock.advance(10 * MINUTE);
        lease::heartbeat(&scene.app, &scene.attempt(id).await).await.ok();
    }
    lease::sweep(&scene.app).await.unwrap();
    let ended = scene.build(build.id).await;
    assert!(ended.detail.as_deref().unwrap_or_default().contains("almost full"), "{ended:?}");
}

#[tokio::test]
async fn webhooks_are_refused_and_come_again() {
    let scene = Scene::new().await;
    let source = &scene.wired().source;
    scene.app.storage.pretend_free(0);
    let refused = crate::sources::deliveries::keep(&scene.app, source, "push", "1", b"{}").await;
    assert!(matches!(refused, Err(Error::Full)));
    scene.app.storage.pretend_free(PLENTY);
    assert!(crate::sources::deliveries::keep(&scene.app, source, "push", "1", b"{}").await.unwrap());
}

#[tokio::test]
async fn no_build_is_asked_for_where_there_is_no_room() {
    let scene = Scene::new().await;
    let old = scene.queue(1).await;
    scene.app.storage.pretend_free(0);
    for mode in [Rerun::Same, Rerun::Newest] {
        let refused = rerun(&scene.app, &scene.manager(), old.number, mode).await.unwrap_err();
        assert!(matches!(refused, Error::Full), "{refused}");
    }
    let main = "refs/heads/main".parse().unwrap();
    assert!(matches!(build_now(&scene.app, &scene.manager(), &main, false).await, Err(Error::Full)));
}
