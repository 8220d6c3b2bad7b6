//! Builders that ask at the same time.

use super::*;
use futures_util::future::join_all;
use std::collections::BTreeSet;

crate::testing::on_postgres! {
    many_claims_at_once_hand_each_build_out_once,
}

#[tokio::test]
async fn many_claims_at_once_hand_each_build_out_once() {
    let mut scene = Scene::new().await;
    for namespace in ["globex", "initech", "umbrella"] {
        scene.add(namespace).await;
    }
    let mut queued = BTreeSet::new();
    for wired in &scene.repositories {
        queued.insert(scene.queue_in(wired, 1).await.id);
    }
    let claims = (0..8).map(|n| {
        let scene = &scene;
        async move { scene.claim_as(&format!("builder {n}")).await }
    });
    let taken: Vec<_> = join_all(claims).await.into_iter().flatten().map(|a| a.build_id).collect();
    assert_eq!(taken.len(), queued.len(), "a build was handed out twice, or a builder went away empty");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), queued);
}
