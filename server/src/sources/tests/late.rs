//! Deliveries that were overtaken by others, or lost.

use super::pushes::hooked;
use super::*;

crate::testing::on_postgres! {
    a_branch_that_was_deleted_is_not_made_by_a_late_delivery,
    a_branch_that_was_set_back_is_not_moved_by_a_late_delivery,
    sources_that_were_never_looked_at_come_first,
}

const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
const OTHER: &str = "2222222222222222222222222222222222222222";

/// A push that came a minute ago and is read now; the outcome.
async fn read(scene: &Scene, ref_name: &str, before: &str, after: &str) -> String {
    let source = scene.source("mona/web").await;
    let body = serde_json::json!({
        "ref": ref_name, "before": before, "after": after, "deleted": after == NO_COMMIT,
        "head_commit": (after != NO_COMMIT).then(|| serde_json::json!({"id": after, "message": "Late"})),
        "repository": {"id": source.remote_id.parse::<u64>().unwrap()},
    });
    let row = rows::HookDelivery {
        id: Uuid::now_v7(),
        source_id: source.id,
        body_sha256: format!("{ref_name} {before} {after}"),
        event: "push".into(),
        remote_id: None,
        body: body.to_string().into_bytes(),
        outcome: db::sources::deliveries::WAITING.into(),
        received_at: scene.app.clock.now() - crate::clock::MINUTE,
    };
    let delivery_id = row.id;
    let tx = scene.app.db.begin().await.unwrap();
    assert!(db::sources::deliveries::insert(&tx, row).await.unwrap());
    tx.commit().await.unwrap();
    scene.ask_for(Task::ProcessDelivery { delivery_id }).await;
    scene.quiet().await;
    db::sources::deliveries::find(&scene.app.db, delivery_id).await.unwrap().unwrap().outcome
}

#[tokio::test]
async fn a_branch_that_was_deleted_is_not_made_by_a_late_delivery() {
    let scene = Scene::start(NEVER).await;
    let (_, _, name) = hooked(&scene).await;
    assert!(read(&scene, "refs/heads/short", OTHER, NO_COMMIT).await.contains("was deleted"));
    let outcome = read(&scene, "refs/heads/short", NO_COMMIT, OTHER).await;
    assert!(outcome.contains("moved on"), "{outcome}");
    assert_eq!(scene.builds(&name).await.len(), 1);
}

#[tokio::test]
async fn a_branch_that_was_set_back_is_not_moved_by_a_late_delivery() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let head = code.head("main").unwrap();
    assert_eq!(read(&scene, "refs/heads/main", OTHER, &head).await, "no new build");
    let outcome = read(&scene, "refs/heads/main", &head, OTHER).await;
    assert!(outcome.contains("moved on"), "{outcome}");
    assert_eq!(scene.builds(&name).await.len(), 1);
}

#[tokio::test]
async fn sources_that_were_never_looked_at_come_first() {
    let scene = Scene::start(NEVER).await;
    let (.., mona, _) = hooked(&scene).await;
    scene.code("mona", "new", false);
    scene.import(&mona, "mona/new").await.unwrap();
    scene.quiet().await;
    let old = scene.source("mona/web").await;
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::forget_polls(&tx).await.unwrap();
    db::sources::touch_polled(&tx, old.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    let due = db::sources::due(&scene.app.db, i64::MAX, i64::MAX, i64::MAX, i64::MAX, 1).await.unwrap();
    assert_eq!(due[0].full_name, "mona/new");
}
