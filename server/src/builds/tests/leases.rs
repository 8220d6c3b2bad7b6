//! Leases: what happens when a builder or the server dies.

use super::*;
use crate::builds::{cancel, lease, log};
use crate::clock::HOUR;
use crate::db::Ask as _;
use crate::db::AttemptEnd;
use crate::db::BuildState::{Cancelled, Failed, Queued, Running, TimedOut};
use crate::error::Error;
use slipway_protocol::Outcome;
use std::time::Duration;

crate::testing::on_postgres! {
    a_lost_build_is_queued_again_once,
    a_build_that_no_builder_began_is_queued_again_soon_and_at_no_ones_cost,
    a_builder_that_sends_records_is_alive,
    an_older_attempt_is_fenced_off,
    a_server_that_starts_gives_leases_time_and_buries_its_own_builder,
    after_a_sleep_of_the_machine_builders_get_time_to_be_heard,
    a_cancel_on_another_server_reaches_a_silent_build_soon,
    a_builder_that_stops_hands_its_build_back,
    a_heartbeat_in_between_does_not_keep_a_build_from_being_handed_back,
    a_builder_that_does_not_stop_is_stopped,
    an_attempt_that_cannot_be_ended_keeps_no_other_from_its_end,
}

#[tokio::test]
async fn a_lost_build_is_queued_again_once() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let first = scene.claim_as("far").await.unwrap();
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(build.id).await.state, Running, "the lease is good");
    scene.run_out(first.attempt_id).await;
    lease::sweep(&scene.app).await.unwrap();
    lease::sweep(&scene.app).await.unwrap();
    let queued = scene.build(build.id).await;
    assert_eq!((queued.state, queued.requeues), (Queued, 1));
    let lost = scene.attempt(first.attempt_id).await;
    assert_eq!(lost.end_reason, Some(AttemptEnd::Lost));
    let notice = log::read(&scene.app, lost.id, 0, 10).await.unwrap();
    assert!(matches!(&notice[..], [(1, Record::Notice { text, .. })] if text.contains("queued again")));

    let second = scene.claim_as("far").await.unwrap();
    assert_eq!(scene.attempt(second.attempt_id).await.number, 2);
    scene.run_out(second.attempt_id).await;
    lease::sweep(&scene.app).await.unwrap();
    let failed = scene.build(build.id).await;
    assert_eq!((failed.state, failed.reason.as_deref()), (Failed, Some("builder_lost")));
}

#[tokio::test]
async fn a_build_that_no_builder_began_is_queued_again_soon_and_at_no_ones_cost() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    for _ in 0..3 {
        let id = scene.claim_as("dead").await.unwrap().attempt_id;
        let offered = scene.attempt(id).await;
        assert!(offered.lease_until - offered.started_at < lease::LEASE / 2);
        // As if the time were over.
        let tx = scene.app.db.begin().await.unwrap();
        db::attempts::extend(&tx, id, offered.started_at - 1).await.unwrap();
        tx.commit().await.unwrap();
        lease::sweep(&scene.app).await.unwrap();
        let queued = scene.build(build.id).await;
        assert_eq!((queued.state, queued.requeues), (Queued, 0));
    }
}

#[tokio::test]
async fn a_builder_that_sends_records_is_alive() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let id = scene.claim_as("far").await.unwrap().attempt_id;
    let offered = scene.attempt(id).await;
    log::append(&scene.app, &offered, batch(1, vec![started(1), line(1, 1)])).await.unwrap();
    scene.app.clock.advance(lease::OFFER + 1);
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(build.id).await.state, Running, "as with a heartbeat");
    scene.app.clock.advance(lease::LEASE);
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(build.id).await.requeues, 1, "it began, and was lost");
    let notices = log::read(&scene.app, id, 2, 10).await.unwrap();
    assert!(matches!(&notices[..], [(3, Record::Notice { text, .. })] if text.contains("not heard of")), "{notices:?}");
}

#[tokio::test]
async fn an_older_attempt_is_fenced_off() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let old = scene.claim_as("far").await.unwrap();
    scene.run_out(old.attempt_id).await;
    lease::sweep(&scene.app).await.unwrap();
    let new = scene.claim_as("near").await.unwrap();
    let attempt = scene.attempt(old.attempt_id).await;
    let refused = |e: Error| assert_eq!(e.status(), 409, "{e}");
    refused(lease::heartbeat(&scene.app, &attempt).await.unwrap_err());
    refused(log::append(&scene.app, &attempt, batch(1, vec![started(1)])).await.unwrap_err());
    refused(scene.finish(old.attempt_id, Outcome::Failed(slipway_protocol::Failure::default())).await.unwrap_err());
    assert_eq!(scene.build(build.id).await.state, Running);
    assert!(crate::auth::tokens::principal_of_attempt(&scene.app, old.attempt_id).await.is_err());
    assert!(crate::auth::tokens::principal_of_attempt(&scene.app, new.attempt_id).await.is_ok());
    let token = lease::attempt_of_token(&scene.app, new.attempt_id, &new.attempt_token).await.unwrap();
    assert_eq!(token.id, new.attempt_id);
    assert!(lease::attempt_of_token(&scene.app, old.attempt_id, &new.attempt_token).await.is_err());
}

#[tokio::test]
async fn a_server_that_starts_gives_leases_time_and_buries_its_own_builder() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let own = scene.queue_in(&scene.repositories[0], 1).await;
    let far = scene.queue_in(&scene.repositories[1], 1).await;
    let own_attempt = scene.claim().await.unwrap().attempt_id;
    let far_attempt = scene.claim_as("far").await.unwrap().attempt_id;
    scene.run_out(own_attempt).await;
    scene.run_out(far_attempt).await;
    lease::at_start(&scene.app).await.unwrap();
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(far.id).await.state, Running);
    let own = scene.build(own.id).await;
    if scene.app.db.is_postgres() {
        // It may be the builder of another server: its lease tells.
        assert_eq!((own.state, own.requeues), (Running, 0));
    } else {
        assert_eq!((own.state, own.requeues), (Queued, 1));
        assert!(own.detail.unwrap().contains("restarted"));
    }
}

#[tokio::test]
async fn after_a_sleep_of_the_machine_builders_get_time_to_be_heard() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let attempt = scene.claim_as("far").await.unwrap().attempt_id;
    // As if it had begun, then the machine slept for longer than any build may take.
    let slept_at = scene.app.clock.now() - 48 * HOUR;
    let tx = scene.app.db.begin().await.unwrap();
    db::attempts::set_started(&tx, attempt, slept_at - MINUTE).await.unwrap();
    db::attempts::extend(&tx, attempt, slept_at + MINUTE).await.unwrap();
    tx.commit().await.unwrap();
    assert!(scene.app.last_sweep.jumped(slept_at, scene.app.clock.steady()).is_none());
    lease::sweep(&scene.app).await.unwrap();
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(build.id).await.state, Running);
    lease::heartbeat(&scene.app, &scene.attempt(attempt).await).await.unwrap();
    scene.run_out(attempt).await;
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(build.id).await.state, Queued, "a builder that stays silent is lost all the same");
}

#[tokio::test]
async fn a_cancel_on_another_server_reaches_a_silent_build_soon() {
    let scene = Scene::new().await;
    // With SQLite there is no other server.
    if !scene.app.db.is_postgres() {
        return;
    }
    scene.queue(1).await;
    let attempt = scene.claim().await.unwrap().attempt_id;
    let attempt = scene.attempt(attempt).await;
    let elsewhere = async {
        // The heartbeat waits by then; nothing wakes it here.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let tx = scene.app.db.begin().await.unwrap();
        let mut build = db::builds::lock(&tx, attempt.build_id).await.unwrap().unwrap();
        build.cancel_requested_at = Some(scene.app.clock.now());
        db::builds::save(&tx, &build).await.unwrap();
        tx.commit().await.unwrap();
    };
    let heartbeat = lease::heartbeat_until_cancel(&scene.app, &attempt, Duration::from_mins(1));
    let both = async { tokio::join!(heartbeat, elsewhere).0 };
    let reply = tokio::time::timeout(Duration::from_secs(20), both).await.expect("it does not wait to the end");
    assert!(reply.unwrap().cancel);
}

#[tokio::test]
async fn a_builder_that_stops_hands_its_build_back() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    for _ in 0..3 {
        let attempt = scene.claim().await.unwrap().attempt_id;
        assert_eq!(scene.finish(attempt, Outcome::Interrupted).await.unwrap(), "queued");
    }
    assert_eq!(scene.build(build.id).await.requeues, 0, "it was nobody's fault");
}

#[tokio::test]
async fn a_heartbeat_in_between_does_not_keep_a_build_from_being_handed_back() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let as_the_request_came = scene.attempt(id).await;
    lease::heartbeat(&scene.app, &as_the_request_came).await.unwrap();
    let finish = slipway_protocol::Finish { outcome: Outcome::Interrupted, last_record: 0 };
    let reply = crate::builds::finish(&scene.app, &as_the_request_came, finish).await.unwrap();
    assert_eq!(reply.state, "queued");
    assert_eq!(scene.build(build.id).await.state, Queued);
}

#[tokio::test]
async fn a_builder_that_does_not_stop_is_stopped() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let attempt = scene.claim().await.unwrap().attempt_id;
    cancel(&scene.app, &scene.manager(), build.number).await.unwrap();
    scene.run_out(attempt).await;
    lease::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.build(build.id).await.state, Cancelled, "a lost one that was cancelled is not queued again");

    let build = scene.queue(2).await;
    let attempt = scene.claim().await.unwrap().attempt_id;
    assert_eq!(scene.finish(attempt, Outcome::TimedOut).await.unwrap(), "timed_out");
    assert_eq!(scene.build(build.id).await.state, TimedOut);
}

#[tokio::test]
async fn an_attempt_that_cannot_be_ended_keeps_no_other_from_its_end() {
    let mut scene = Scene::new().await;
    scene.add("other").await;
    scene.queue(1).await;
    scene.queue_in(&scene.repositories[1], 1).await;
    let (first, second) = (scene.claim_as("far").await.unwrap(), scene.claim_as("far").await.unwrap());
    for claimed in [&first, &second] {
        scene.run_out(claimed.attempt_id).await;
    }
    let stuck = db::attempts::open(&scene.app.db).await.unwrap().remove(0);
    spoil(&scene, stuck.build_id).await;
    assert!(lease::sweep(&scene.app).await.is_err(), "an operator reads of it");
    assert_eq!(db::attempts::open(&scene.app.db).await.unwrap().len(), 1);
}

/// Nothing that is over can be ended.
async fn spoil(scene: &Scene, build_id: uuid::Uuid) {
    let over = rows::Build { state: db::BuildState::Succeeded, ..scene.build(build_id).await };
    let tx = scene.app.db.begin().await.unwrap();
    db::builds::save(&tx, &over).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_cannot_be_ended_keeps_no_server_from_its_start() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    scene.claim().await.unwrap();
    spoil(&scene, build.id).await;
    lease::at_start(&scene.app).await.unwrap();
}
