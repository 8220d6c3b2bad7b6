//! Deliveries of webhooks that are late, sent again, or not what they say.

use super::pushes::hooked;
use super::*;

crate::testing::on_postgres! {
    a_late_delivery_does_not_roll_back,
    hooks_answer_as_they_should,
}

#[tokio::test]
async fn a_late_delivery_does_not_roll_back() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let hook = scene.source("mona/web").await;
    let first = code.commit("main", &[("a", "1")], "One");
    scene.build_of(&name, "refs/heads/main", &first).await;
    let second = code.commit("main", &[("a", "2")], "Two");
    let newest = scene.build_of(&name, "refs/heads/main", &second).await;
    scene.quiet().await;
    // The first push again, in other bytes.
    let body = serde_json::json!({
        "ref": "refs/heads/main", "before": "1".repeat(40), "after": first,
        "head_commit": {"id": first, "message": "One", "author": {"name": "mona"}},
        "repository": {"id": code.id()},
    });
    let answer = deliver(&scene, &hook, "push", body.to_string().into_bytes(), None).await;
    assert_eq!(answer, 202);
    scene.quiet().await;
    assert_eq!(scene.builds(&name).await[0].id, newest.id);
    let last = db::sources::deliveries::latest(&scene.app.db, hook.id, 1).await.unwrap();
    assert!(last[0].outcome.contains("moved on"), "{}", last[0].outcome);
}

#[tokio::test]
async fn hooks_answer_as_they_should() {
    let scene = Scene::start(NEVER).await;
    let (_, _, name) = hooked(&scene).await;
    let source = scene.source("mona/web").await;
    let push = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/github/push_branch_created.json"));
    let push = push.unwrap();
    let wrong = format!("sha256={}", "0".repeat(64));
    let mut unknown = source.clone();
    unknown.id = Uuid::now_v7();
    for (source, event, body, signature, expected) in [
        (&source, "push", push.clone(), None, 202),
        (&source, "push", push.clone(), None, 202),
        (&source, "issues", b"{}".to_vec(), None, 202),
        (&source, "ping", b"{}".to_vec(), None, 202),
        (&source, "push", b"no JSON".to_vec(), None, 400),
        (&source, "push", push.clone(), Some(wrong.as_str()), 401),
        (&source, "push", push.clone(), Some(""), 401),
        (&source, "push", b"no JSON".to_vec(), Some(wrong.as_str()), 401),
        (&unknown, "push", push.clone(), Some(wrong.as_str()), 401),
        (&source, "push", vec![b'x'; 26 << 20], Some(wrong.as_str()), 413),
    ] {
        assert_eq!(deliver(&scene, source, event, body, signature).await, expected, "{event} {signature:?}");
    }
    scene.quiet().await;
    let kept = db::sources::deliveries::latest(&scene.app.db, source.id, 10).await.unwrap();
    let about: Vec<&str> = kept.iter().map(|d| d.outcome.as_str()).collect();
    assert_eq!(about, ["it is about another repository"], "the same body is one delivery");
    assert_eq!(scene.builds(&name).await.len(), 1);
}

/// Posts a delivery; signed with the source's secret unless a signature is given.
pub(super) async fn deliver(
    scene: &Scene,
    source: &rows::Source,
    event: &str,
    body: Vec<u8>,
    signature: Option<&str>,
) -> u16 {
    deliver_as(scene, source, ("application/json", event), body, signature).await
}

/// As `deliver`, of another content type.
pub(super) async fn deliver_as(
    scene: &Scene,
    source: &rows::Source,
    (content_type, event): (&str, &str),
    body: Vec<u8>,
    signature: Option<&str>,
) -> u16 {
    let signature = signature.map_or_else(
        || {
            let place = crate::sources::hook_secret_place(source.id);
            let secret = scene.app.master_key.open_text(place, &source.hook_secret_encrypted).unwrap();
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.reveal().as_bytes());
            format!("sha256={}", hex::encode(aws_lc_rs::hmac::sign(&key, &body)))
        },
        str::to_owned,
    );
    let request = scene.app.http.post(crate::sources::hook_url(&scene.app, source));
    let request = request.header("x-github-event", event).header("x-hub-signature-256", signature);
    request.header("content-type", content_type).body(body).send().await.unwrap().status().as_u16()
}
