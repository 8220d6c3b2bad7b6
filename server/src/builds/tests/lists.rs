//! What the list of builds finds.

use super::{Principal, Scene, new_build};
use crate::builds::{NewBuild, enqueue, search};

crate::testing::on_postgres! {
    builds_are_found_by_branch_title_commit_and_number,
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
    let found = async |text: &str| {
        let (builds, total) = search(&scene.app, wired.repository.id, text, 0, 30).await.unwrap();
        assert_eq!(builds.len() as u64, total);
        builds.iter().map(|b| b.number).collect::<Vec<_>>()
    };
    assert_eq!(found("LOGIN_").await, [2]);
    assert_eq!(found("people").await, [2]);
    assert_eq!(found("Über").await, [2]);
    assert_eq!(found("abcdef0").await, [2]);
    assert_eq!(found("bcdef0").await, [0_i64; 0], "a commit is found from its beginning");
    assert_eq!(found("#1").await, [1]);
    assert_eq!(found("%").await, [0_i64; 0]);
    assert_eq!(found("refs").await, [2, 1]);
}
