//! What is looked for because a delivery came, whatever it said.

use super::deliveries::{deliver, deliver_as};
use super::pushes::hooked;
use super::*;
use crate::clock::{MINUTE, SECOND};
use crate::db::HookState;
use crate::sources::polling;

crate::testing::on_postgres! {
    tags_that_came_with_a_branch_are_built_soon_after_it,
    a_signed_delivery_makes_its_source_due_whatever_it_says,
    deliveries_without_end_do_not_keep_a_look_from_coming,
    a_webhook_is_not_blamed_for_branches_that_it_is_about_to_tell_of,
    a_push_sent_as_a_form_is_built,
}

/// As if the source had been looked at a minute ago.
async fn looked_at(scene: &Scene) -> rows::Source {
    let source = scene.source("mona/web").await;
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::touch_polled(&tx, source.id, scene.app.clock.now() - MINUTE).await.unwrap();
    tx.commit().await.unwrap();
    scene.source("mona/web").await
}

fn is_due(scene: &Scene, source: &rows::Source) -> bool {
    polling::is_due_soon(&scene.app, source)
}

#[tokio::test]
async fn tags_that_came_with_a_branch_are_built_soon_after_it() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    looked_at(&scene).await;
    let _schedule = jobs::start_schedule(&scene.app.app).await.unwrap();
    // At a start all sources are looked at.
    let recent = scene.app.clock.now() - MINUTE;
    let is_looked_at = async |app: &App| source_of(app, "mona/web").await.unwrap().polled_at > Some(recent);
    scene.wait("it is looked at", is_looked_at).await;
    scene.quiet().await;
    // GitHub says nothing about more than three tags at once.
    let head = code.head("main").unwrap();
    code.tags(&["v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0"], &head);
    code.commit("main", &[("a", "1")], "In the same push");
    scene.wait("all five are built", async |app| builds_of(app, &name).await.len() == 6).await;
}

#[tokio::test]
async fn a_signed_delivery_makes_its_source_due_whatever_it_says() {
    let scene = Scene::start(NEVER).await;
    hooked(&scene).await;
    let wrong = format!("sha256={}", "0".repeat(64));
    let push = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/github/push_branch_created.json"));
    let push = push.unwrap();
    let form = ("application/x-www-form-urlencoded", "push");
    let json = |event: &'static str| ("application/json", event);
    for (kind, body, signature, status, expected) in [
        (json("push"), push.clone(), None, 202, true),
        // A second time, by the button "Redeliver".
        (json("push"), push.clone(), None, 202, true),
        (json("push"), b"no JSON".to_vec(), None, 400, true),
        (json("push"), b"{}".to_vec(), None, 202, true),
        (json("create"), b"{}".to_vec(), None, 202, true),
        (form, b"payload=nonsense".to_vec(), None, 400, true),
        (json("ping"), b"{}".to_vec(), None, 202, false),
        (json("push"), push, Some(wrong.as_str()), 401, false),
        (json("push"), b"no JSON".to_vec(), Some(""), 401, false),
    ] {
        let source = looked_at(&scene).await;
        assert!(!is_due(&scene, &source));
        let told = format!("{kind:?} {}", String::from_utf8_lossy(&body[..body.len().min(40)]));
        assert_eq!(deliver_as(&scene, &source, kind, body, signature).await, status, "{told}");
        assert_eq!(is_due(&scene, &scene.source("mona/web").await), expected, "{told}");
        scene.quiet().await;
    }
}

#[tokio::test]
async fn deliveries_without_end_do_not_keep_a_look_from_coming() {
    let scene = Scene::start(NEVER).await;
    hooked(&scene).await;
    let first = looked_at(&scene).await;
    let began = scene.app.clock.now();
    for _ in 0..5 {
        deliver(&scene, &first, "create", b"{}".to_vec(), None).await;
        scene.app.clock.advance(SECOND);
    }
    assert!(scene.app.clock.now() - began >= 5 * SECOND);
    let due = polling::due(&scene.app, 10).await.unwrap();
    assert!(due.iter().any(|source| source.id == first.id), "each delivery puts it off");
    // And one that came during a look is looked for after it.
    let stale = rows::Source { delivered_at: Some(0), ..scene.source("mona/web").await };
    polling::poll(&scene.app, &stale).await.unwrap();
    let after = scene.source("mona/web").await;
    scene.app.clock.advance(10 * SECOND);
    assert!(is_due(&scene, &after));
}

#[tokio::test]
async fn a_webhook_is_not_blamed_for_branches_that_it_is_about_to_tell_of() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let source = looked_at(&scene).await;
    let pings = scene.forge.requests("/pings");
    let other = code.change("other").file("a", "1").quietly().commit("Its delivery is on its way");
    // The one of `main`, say.
    deliver(&scene, &source, "push", b"{}".to_vec(), None).await;
    scene.app.clock.advance(3 * SECOND);
    polling::poll_due(&scene.app).await.unwrap();
    scene.build_of(&name, "refs/heads/other", &other).await;
    scene.quiet().await;
    assert_eq!(scene.source("mona/web").await.hook_state, HookState::Active);
    assert_eq!(scene.forge.requests("/pings"), pings, "it is not put right where nothing is wrong");
}

#[tokio::test]
async fn a_push_sent_as_a_form_is_built() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let source = scene.source("mona/web").await;
    let head = code.change("form").file("a", "1+1 = 2 & more").quietly().commit("A+B & C = ü");
    let body = serde_json::json!({
        "ref": "refs/heads/form", "before": "0".repeat(40), "after": head,
        "head_commit": {"id": head, "message": "A+B & C = ü", "author": {"name": "mona"}},
        "repository": {"id": code.id()},
    });
    let form: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &body.to_string()).finish();
    let kind = ("application/x-www-form-urlencoded", "push");
    for _ in 0..2 {
        assert_eq!(deliver_as(&scene, &source, kind, form.clone().into_bytes(), None).await, 202);
    }
    let build = scene.build_of(&name, "refs/heads/form", &head).await;
    assert_eq!(build.commit_title, "A+B & C = ü");
    scene.quiet().await;
    assert_eq!(scene.builds(&name).await.len(), 2, "the same again is nothing new");
}
