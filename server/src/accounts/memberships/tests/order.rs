//! Several rows are locked in one order: on PostgreSQL two who take them in different ones wait for each other.

use super::*;
use crate::accounts::admission::Organization;
use crate::accounts::memberships::ending;
use crate::accounts::oauth::{Account, Granted};
use crate::accounts::people::{self, Arrival};

crate::testing::on_postgres! {
    a_look_locks_people_in_the_order_of_a_confirmation,
    a_confirmation_locks_people_in_the_order_of_a_look,
    a_sign_in_locks_the_membership_before_the_person,
    a_start_changes_people_in_the_order_of_a_look,
}

/// Time for the other one to lock what it locks first, and to wait for what we hold.
const A_WHILE: Duration = Duration::from_millis(500);

/// Two members, the one whose rows come first first.
async fn two(scene: &Scene) -> [rows::Membership; 2] {
    let mut ids = [scene.member("lisa", Permission::None).await, scene.member("bart", Permission::None).await];
    ids.sort_unstable();
    [scene.membership(ids[0]).await, scene.membership(ids[1]).await]
}

/// Holds the first of two while the other begins, and then takes the second one too.
async fn both_in_order(scene: &Scene, [first, second]: [rows::Membership; 2], other: impl Future<Output = ()>) {
    let (url, acme) = (scene.forge.url(), &*scene.acme);
    let tx = scene.app.db.begin().await.unwrap();
    db::memberships::lock(&tx, first.user_id, &url, acme).await.unwrap();
    let rest = async {
        tokio::time::sleep(A_WHILE).await;
        db::memberships::lock(&tx, second.user_id, &url, acme).await.unwrap();
        tx.commit().await.unwrap();
    };
    tokio::join!(other, rest);
}

#[tokio::test]
async fn a_look_locks_people_in_the_order_of_a_confirmation() {
    let scene = Scene::start().await;
    let two = two(&scene).await;
    let (url, acme) = (scene.forge.url(), scene.acme.clone());
    let answers = two.iter().rev().map(|row| (row.clone(), Answer::Gone)).collect();
    let look = async {
        settle::settle(&scene.app, (&url, &acme), answers, settle::Occasion::Day).await.unwrap();
    };
    Box::pin(both_in_order(&scene, two, look)).await;
}

#[tokio::test]
async fn a_confirmation_locks_people_in_the_order_of_a_look() {
    let scene = Scene::start().await;
    let two = two(&scene).await;
    let (url, acme) = (scene.forge.url(), scene.acme.clone());
    let held = two.iter().rev().cloned().collect();
    let confirmation = async {
        ending::end_held(&scene.app, (&url, &acme), held, &Principal::SYSTEM).await.unwrap();
    };
    Box::pin(both_in_order(&scene, two, confirmation)).await;
}

#[tokio::test]
async fn a_sign_in_locks_the_membership_before_the_person() {
    let scene = Scene::start().await;
    let lisa = scene.member("lisa", Permission::None).await;
    let (url, acme) = (scene.forge.url(), scene.acme.clone());
    // A look, which ends what lisa has.
    let tx = scene.app.db.begin().await.unwrap();
    db::memberships::lock(&tx, lisa, &url, &acme).await.unwrap();
    let rest = async {
        tokio::time::sleep(A_WHILE).await;
        db::users::set_suspended(&tx, lisa, None).await.unwrap();
        tx.commit().await.unwrap();
    };
    let account = Account { id: scene.forge.person("lisa").id, login: "lisa".into(), name: None };
    let granted = Granted { token: scene.fresh_token("lisa"), scopes: vec!["read:user".into()] };
    let organizations = [Organization { id: acme.clone(), login: "acme".into() }];
    let arrival = Arrival {
        forge_url: &url,
        account: &account,
        granted: &granted,
        organizations: &organizations,
        invite_hash: None,
    };
    let (came, ()) = tokio::join!(people::arrive(&scene.app, &arrival), rest);
    assert_eq!(came.unwrap(), Some(lisa));
}

#[tokio::test]
async fn a_start_changes_people_in_the_order_of_a_look() {
    let scene = Scene::start_with("").await;
    // The account that the forge made first came last.
    scene.forge.person("first");
    let mut ids = Vec::new();
    for login in ["second", "first"] {
        ids.push(scene.person(login, Admission::Named, Permission::None).await);
    }
    let tx = scene.app.db.begin().await.unwrap();
    db::users::set_site_admin(&tx, ids[0], false).await.unwrap();
    let rest = async {
        tokio::time::sleep(A_WHILE).await;
        db::users::set_site_admin(&tx, ids[1], false).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (start, ()) = tokio::join!(standing::at_start(&scene.app), rest);
    start.unwrap();
    assert_eq!(scene.because(ids[0]).await, Some(Suspension::Lists));
}
