//! Many who leave at once.

use super::*;
use crate::accounts::memberships::{Confirmed, all_departures, confirm, confirm_by_operator, ending, held_in};

crate::testing::on_postgres! {
    a_fifth_at_once_ends_and_more_waits_for_an_admin,
    those_who_wait_do_not_hold_who_leaves_later,
    who_is_held_and_comes_back_is_held_no_longer,
    an_empty_organization_is_held_as_a_whole,
    a_namespace_of_few_is_held_though_the_organization_is_large,
    only_admins_confirm,
    who_leaves_while_others_are_held_waits_with_them,
    who_came_back_before_an_admin_confirmed_loses_nothing,
}

/// Ten people: the owner and nine members.
async fn ten() -> (Scene, Uuid, Vec<Uuid>) {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let mut members = Vec::new();
    for n in 0..9 {
        members.push(scene.member(&format!("member{n}"), Permission::None).await);
    }
    (scene, root, members)
}

async fn working(scene: &Scene, people: &[Uuid]) -> Vec<bool> {
    let mut found = Vec::new();
    for id in people {
        found.push(scene.token_works(*id).await);
    }
    found
}

#[tokio::test]
async fn a_fifth_at_once_ends_and_more_waits_for_an_admin() {
    let (scene, root, members) = ten().await;
    scene.forge.leave("acme", "member0");
    scene.forge.leave("acme", "member1");
    scene.next_day().await;
    assert_eq!(working(&scene, &members[..3]).await, [false, false, true]);
    for n in 2..5 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    for _ in 0..3 {
        scene.next_day().await;
        assert_eq!(working(&scene, &members[2..6]).await, [true; 4]);
    }
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 3);
    let seen = scene.departures(root).await.groups;
    assert_eq!((seen[0].held.len(), seen[0].ended.len()), (3, 2));
    assert_eq!(seen[0].held[0].lost.as_ref().unwrap().tokens.len(), 1, "what would end is shown first");
    assert_eq!(scene.confirm(root).await.unwrap(), Confirmed { ended: 3, left: 0 });
    assert_eq!(working(&scene, &members[2..6]).await, [false, false, false, true]);
    assert!(scene.confirm(root).await.is_none(), "nobody waits any more");
}

#[tokio::test]
async fn those_who_wait_do_not_hold_who_leaves_later() {
    let (scene, _, members) = ten().await;
    for n in 0..3 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    scene.next_day().await;
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 3);
    for _ in 0..2 {
        scene.next_day().await;
    }
    scene.forge.leave("acme", "member3");
    scene.next_day().await;
    assert_eq!(working(&scene, &members[..5]).await, [true, true, true, false, true]);
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 3);
}

#[tokio::test]
async fn who_is_held_and_comes_back_is_held_no_longer() {
    let (scene, _, members) = ten().await;
    for n in 0..3 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    scene.next_day().await;
    scene.forge.member("acme", "member0", false);
    scene.next_day().await;
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 2);
    // The two that are left wait all the same: nobody has confirmed them.
    assert_eq!(working(&scene, &members[..3]).await, [true; 3]);
    assert_eq!(scene.confirm_by_operator("ACME").await.unwrap(), Confirmed { ended: 2, left: 0 });
    assert_eq!(working(&scene, &members[..3]).await, [true, false, false]);
    assert!(confirm_by_operator(&scene.app, "acme", None).await.is_err());
}

#[tokio::test]
async fn an_empty_organization_is_held_as_a_whole() {
    let (scene, root, members) = ten().await;
    for n in 0..9 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    scene.next_day().await;
    assert_eq!(working(&scene, &members).await, [true; 9]);
    assert!(scene.token_works(root).await);
}

#[tokio::test]
async fn a_namespace_of_few_is_held_though_the_organization_is_large() {
    let (scene, _, _) = ten().await;
    let (lisa, bart) = (scene.owner("lisa", Permission::None).await, scene.owner("bart", Permission::None).await);
    // Two of twelve in the organisation, and two of three in its namespace.
    scene.forge.leave("acme", "lisa");
    scene.forge.leave("acme", "bart");
    scene.next_day().await;
    assert!(scene.role(lisa).await.is_some() && scene.role(bart).await.is_some());
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 2);
}

#[tokio::test]
async fn only_admins_confirm() {
    let (scene, _, members) = ten().await;
    for n in 0..3 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    scene.next_day().await;
    assert!(scene.departures(members[5]).await.groups.is_empty());
    let listed = all_departures(&scene.app).await.unwrap().groups[0].listed.unwrap();
    let refused = confirm(&scene.app, &scene.allowed(members[5]).await, listed).await.unwrap_err();
    assert_eq!(refused.status(), 404);
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 3);
    let boss = scene.person("boss", Admission::Named, Permission::None).await;
    let tx = scene.app.db.begin().await.unwrap();
    db::users::set_site_admin(&tx, boss, true).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scene.confirm(boss).await.unwrap(), Confirmed { ended: 3, left: 0 });
}

#[tokio::test]
async fn who_leaves_while_others_are_held_waits_with_them() {
    let (scene, _, members) = ten().await;
    for n in 0..3 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    scene.next_day().await;
    scene.forge.leave("acme", "member3");
    at_sign_in(&scene.app, members[3], &scene.fresh_token("member3")).await.unwrap();
    assert_eq!(working(&scene, &members[..4]).await, [true; 4]);
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 4);
}

#[tokio::test]
async fn who_came_back_before_an_admin_confirmed_loses_nothing() {
    let (scene, _, members) = ten().await;
    for n in 0..3 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    scene.next_day().await;
    let mut seen = Vec::new();
    for id in &members[..3] {
        seen.push(scene.membership(*id).await);
    }
    scene.forge.member("acme", "member0", false);
    at_sign_in(&scene.app, members[0], &scene.fresh_token("member0")).await.unwrap();
    let acme = (&*scene.forge.url(), &*scene.acme);
    assert_eq!(ending::end_held(&scene.app, acme, seen, &Principal::SYSTEM).await.unwrap().ended, 2);
    assert_eq!(working(&scene, &members[..3]).await, [true, false, false]);
}
