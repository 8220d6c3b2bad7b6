//! People who leave together, and are asked about one after the other.

use super::*;
use crate::accounts::memberships::{MOST_ASKED, held_in};
use crate::clock::HOUR;

crate::testing::on_postgres! {
    who_left_together_is_held_together_at_whatever_hour_each_is_asked_about,
    who_signs_in_one_after_the_other_is_held_when_it_is_more_than_a_fifth,
    admins_of_a_namespace_who_sign_in_one_after_the_other_are_held,
    who_went_the_day_before_holds_nobody,
    a_look_that_cannot_ask_everybody_goes_by_the_share_of_those_whom_it_asked,
    nobody_else_is_asked_about_while_nobody_left,
}

/// The owner and so many members, who came an hour after each other, the last one just now.
async fn one_after_the_other(members: usize) -> (Scene, Vec<Uuid>) {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let mut people = Vec::new();
    for n in 0..members {
        scene.app.clock.advance(HOUR);
        people.push(scene.member(&format!("member{n}"), Permission::None).await);
    }
    (scene, people)
}

async fn next_hour(scene: &Scene) {
    scene.app.clock.advance(HOUR);
    look(&scene.app, &scene.forge.url(), &scene.acme).await.unwrap();
}

async fn working(scene: &Scene, people: &[Uuid]) -> usize {
    let mut working = 0;
    for id in people {
        working += usize::from(scene.token_works(*id).await);
    }
    working
}

#[tokio::test]
async fn who_left_together_is_held_together_at_whatever_hour_each_is_asked_about() {
    let (scene, people) = one_after_the_other(9).await;
    for n in 0..5 {
        scene.forge.leave("acme", &format!("member{n}"));
    }
    for hour in 0..30 {
        next_hour(&scene).await;
        assert_eq!(working(&scene, &people).await, 9, "hour {hour}");
    }
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 5);
    assert_eq!(db::events::count(&scene.app.db, "organization.leavers_held").await, 1);
}

#[tokio::test]
async fn who_signs_in_one_after_the_other_is_held_when_it_is_more_than_a_fifth() {
    let (scene, people) = one_after_the_other(9).await;
    for (n, id) in people.iter().enumerate().take(5) {
        let name = format!("member{n}");
        scene.forge.leave("acme", &name);
        scene.app.clock.advance(4 * HOUR);
        at_sign_in(&scene.app, *id, &scene.fresh_token(&name)).await.unwrap();
    }
    // Two of ten are no more than a fifth.
    assert_eq!((working(&scene, &people[..2]).await, working(&scene, &people[2..5]).await), (0, 3));
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 3);
}

#[tokio::test]
async fn admins_of_a_namespace_who_sign_in_one_after_the_other_are_held() {
    let (scene, _) = one_after_the_other(24).await;
    let mut owners = Vec::new();
    for name in ["lisa", "bart", "maggie"] {
        owners.push((name, scene.owner(name, Permission::None).await));
    }
    for (name, id) in &owners {
        scene.forge.leave("acme", name);
        scene.app.clock.advance(HOUR);
        at_sign_in(&scene.app, *id, &scene.fresh_token(name)).await.unwrap();
    }
    // Three of 28 in the organisation; in its namespace one of four, and then two.
    let mut roles = Vec::new();
    for (_, id) in &owners {
        roles.push(scene.role(*id).await);
    }
    assert_eq!(roles, [None, Some(Role::Admin), Some(Role::Admin)]);
}

#[tokio::test]
async fn who_went_the_day_before_holds_nobody() {
    let (scene, people) = one_after_the_other(19).await;
    scene.next_day().await;
    for (day, gone) in [0..4, 4..7].into_iter().enumerate() {
        gone.for_each(|n| scene.forge.leave("acme", &format!("member{n}")));
        scene.next_day().await;
        assert_eq!(working(&scene, &people).await, [15, 12][day]);
    }
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 0);
}

#[tokio::test]
async fn a_look_that_cannot_ask_everybody_goes_by_the_share_of_those_whom_it_asked() {
    let scene = Scene::start().await;
    let (now, forge_url) = (scene.app.clock.now(), scene.forge.url());
    let acme = (&*forge_url, &*scene.acme);
    let tx = scene.app.db.begin().await.unwrap();
    for n in 0..MOST_ASKED * 5 + 100 {
        let user = db::users::insert(&tx, testing::user(&format!("person{n}"))).await.unwrap();
        db::memberships::confirm(&tx, user.id, &forge_url, (&scene.acme, "acme"), now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut asked = db::memberships::of_organization(&scene.app.db, acme.0, acme.1).await.unwrap();
    asked.truncate(MOST_ASKED);
    let answers = asked.into_iter().map(|row| (row, Answer::Gone)).collect();
    settle::settle(&scene.app, acme, answers, settle::Occasion::Day).await.unwrap();
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), MOST_ASKED as u64);
}

#[tokio::test]
async fn nobody_else_is_asked_about_while_nobody_left() {
    let (scene, _) = one_after_the_other(9).await;
    // The owner and the first two are due.
    scene.app.clock.advance(17 * HOUR);
    let asked = scene.forge.requests("/memberships/member");
    look(&scene.app, &scene.forge.url(), &scene.acme).await.unwrap();
    assert_eq!(scene.forge.requests("/memberships/member") - asked, 2);
}
