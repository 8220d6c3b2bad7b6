//! People who leave, against a real forge, while days go by.

mod held;
mod many;
mod order;
mod scene;
mod silence;
mod together;

use super::{Answer, ask_due, at_sign_in, departures, look, settle};
use crate::accounts::standing;
use crate::accounts::tokens::{self, NewToken};
use crate::auth;
use crate::clock::DAY;
use crate::db::{self, Admission, ConnectionState, MembershipState, NamespaceKind, Role, Suspension, rows};
use crate::jobs::{self, Task};
use crate::policy::{self, Allowed, Bound, Principal, Site, UseAccount, Who};
use crate::secrets::{Place, Secret};
use crate::testing::{self, TestApp};
use scene::{Permission, Scene};
use slipway_forge::{Forge, ForgeConfig};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

crate::testing::on_postgres! {
    who_leaves_loses_role_sessions_and_tokens_the_next_day,
    the_code_of_an_organization_is_listed_no_longer_to_who_left,
    who_is_an_owner_no_longer_keeps_the_sign_in_and_loses_the_role,
    who_was_let_in_for_another_reason_keeps_sign_in_and_tokens,
    an_operators_grant_outlives_the_organization,
    a_renamed_person_has_not_left,
    a_login_that_another_account_took_is_no_proof,
    a_member_without_a_permission_is_asked_about_by_an_owner,
    a_sign_in_asks_at_once,
    a_sign_in_asks_a_silent_forge_once_and_leaves_the_rest_to_jobs,
    who_comes_back_gets_in_and_no_role_by_itself,
    a_look_that_runs_twice_asks_once,
    each_organization_is_asked_about_once_a_day,
    a_no_that_comes_after_the_next_sign_in_ends_nothing,
}

#[tokio::test]
async fn who_leaves_loses_role_sessions_and_tokens_the_next_day() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let (lisa, mona) = (scene.owner("lisa", Permission::Stored).await, scene.owner("mona", Permission::None).await);
    for (login, owner) in [("bart", false), ("maggie", false), ("homer", false)] {
        scene.forge.member("acme", login, owner);
        scene.member(login, Permission::None).await;
    }
    scene.forge.leave("acme", "lisa");
    assert!(scene.token_works(lisa).await && scene.role(lisa).await.is_some());
    scene.next_day().await;
    assert_eq!((scene.role(lisa).await, scene.sessions(lisa).await), (None, 0));
    assert!(!scene.token_works(lisa).await);
    assert_eq!(scene.because(lisa).await, Some(Suspension::Left));
    assert!(db::tokens::of_user(&scene.app.db, lisa).await.unwrap()[0].revoked_at.is_some());
    for stays in [root, mona] {
        assert!(scene.token_works(stays).await && scene.role(stays).await.is_some());
    }
    // What ended can be read by the namespace's admins, and by nobody else.
    let seen = scene.departures(root).await.groups;
    assert_eq!(seen[0].ended[0].person, "lisa");
    assert_eq!(seen[0].ended[0].roles, ["admin of acme"]);
    let lost = seen[0].ended[0].lost.clone().unwrap();
    assert_eq!((lost.sessions.len(), lost.tokens.len()), (1, 1));
    for kind in ["organization.member_left", "namespace.role_changed", "user.suspended"] {
        assert_eq!(db::events::count(&scene.app.db, kind).await, 1, "{kind}");
    }
    let bart = db::users::find_by_name(&scene.app.db, "bart").await.unwrap().unwrap();
    assert!(scene.departures(bart.id).await.groups.is_empty());
}

#[tokio::test]
async fn the_code_of_an_organization_is_listed_no_longer_to_who_left() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.member("lisa", Permission::Stored).await;
    let identity = db::users::identities_of(&scene.app.db, lisa).await.unwrap().remove(0);
    let connection = db::users::connection_of_identity(&scene.app.db, identity.id).await.unwrap().unwrap();
    let rows = [(&*scene.acme, "acme/secret"), ("583231", "lisa/own")];
    let rows = rows.map(|(owner, name)| testing::listed(connection.id, owner, name));
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::listing::put_page(&tx, connection.id, rows.to_vec()).await.unwrap();
    tx.commit().await.unwrap();
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    let (left, _) = db::sources::listing::search(&scene.app.db, connection.id, "", 0, 9).await.unwrap();
    assert_eq!(left.iter().map(|row| &*row.full_name).collect::<Vec<_>>(), ["lisa/own"]);
}

#[tokio::test]
async fn who_is_an_owner_no_longer_keeps_the_sign_in_and_loses_the_role() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::Stored).await;
    scene.forge.member("acme", "lisa", false);
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, None);
    assert!(scene.token_works(lisa).await && scene.sessions(lisa).await == 1);
    assert_eq!(scene.membership(lisa).await.state, MembershipState::Member);
}

#[tokio::test]
async fn who_was_let_in_for_another_reason_keeps_sign_in_and_tokens() {
    let scene = Scene::start_with("organizations = [\"acme\"]\nusers = [\"lisa\"]").await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, None);
    assert!(scene.token_works(lisa).await && scene.sessions(lisa).await == 1);
}

#[tokio::test]
async fn an_operators_grant_outlives_the_organization() {
    let scene = Scene::start_with("users = [\"lisa\"]").await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.member("lisa", Permission::None).await;
    scene.grant(lisa, None).await;
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, Some(Role::Admin));
}

#[tokio::test]
async fn a_renamed_person_has_not_left() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.rename_account("lisa", "lisa-simpson");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, Some(Role::Admin));
    // Also when the organisation has another name.
    scene.forge.rename_account("acme", "acme-inc");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, Some(Role::Admin));
    assert_eq!(scene.membership(lisa).await.organization_login, "acme-inc");
}

#[tokio::test]
async fn a_login_that_another_account_took_is_no_proof() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    scene.forge.rename_account("lisa", "lisa-old");
    // Another person of the same name, who is a member.
    scene.forge.member("acme", "lisa", true);
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, None);
}

#[tokio::test]
async fn a_member_without_a_permission_is_asked_about_by_an_owner() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let bart = scene.member("bart", Permission::None).await;
    scene.next_day().await;
    let row = scene.membership(bart).await;
    assert_eq!((row.unanswered_since, row.answered_at), (None, row.asked_at));
    scene.forge.leave("acme", "bart");
    scene.next_day().await;
    assert!(!scene.token_works(bart).await);
}

#[tokio::test]
async fn a_sign_in_asks_at_once() {
    let scene = Scene::start_with("everybody = true").await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    at_sign_in(&scene.app, lisa, &scene.fresh_token("lisa")).await.unwrap();
    assert_eq!(scene.role(lisa).await, None);
    assert!(scene.token_works(lisa).await, "everybody may sign in");
}

#[tokio::test]
async fn a_sign_in_asks_a_silent_forge_once_and_leaves_the_rest_to_jobs() {
    let scene = Scene::start_with("everybody = true").await;
    let lisa = scene.owner("lisa", Permission::Stored).await;
    let more = ["globex", "initech"].map(|name| (scene.forge.organization(name, "lisa").to_string(), name));
    for (id, name) in &more {
        let tx = scene.app.db.begin().await.unwrap();
        let now = scene.app.clock.now();
        db::memberships::confirm(&tx, lisa, &scene.forge.url(), (id, name), now).await.unwrap();
        tx.commit().await.unwrap();
    }
    scene.forge.leave("acme", "lisa");
    scene.forge.hang_next_at("/memberships/", 9, Duration::from_mins(10));
    let asked = scene.forge.requests("/memberships/");
    at_sign_in(&scene.app, lisa, &scene.fresh_token("lisa")).await.unwrap();
    assert_eq!(scene.forge.requests("/memberships/"), asked + 1);
    scene.forge.heal();
    let any = Task::AskOrganization { forge_url: String::new(), organization_id: String::new() };
    let queued = jobs::open(&scene.app, &any).await.unwrap();
    assert_eq!(queued.len(), 3);
    for task in queued {
        jobs::perform_now(&scene.app, &task).await.unwrap();
    }
    assert_eq!(scene.role(lisa).await, None, "the job asked at once, not tomorrow");
}

#[tokio::test]
async fn who_comes_back_gets_in_and_no_role_by_itself() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    assert_eq!(scene.because(lisa).await, Some(Suspension::Left));
    scene.forge.member("acme", "lisa", true);
    at_sign_in(&scene.app, lisa, &scene.fresh_token("lisa")).await.unwrap();
    assert_eq!(scene.membership(lisa).await.state, MembershipState::Member);
    assert_eq!(scene.role(lisa).await, None);
}

#[tokio::test]
async fn a_look_that_runs_twice_asks_once() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    scene.member("bart", Permission::None).await;
    scene.next_day().await;
    let asked = scene.forge.requests("/memberships/");
    look(&scene.app, &scene.forge.url(), &scene.acme).await.unwrap();
    assert_eq!(scene.forge.requests("/memberships/"), asked);
}

#[tokio::test]
async fn each_organization_is_asked_about_once_a_day() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let like = Task::AskOrganization { forge_url: String::new(), organization_id: String::new() };
    let asked = async || {
        ask_due(&scene.app).await.unwrap();
        crate::jobs::open(&scene.app, &like).await.unwrap()
    };
    assert_eq!(asked().await, [], "the sign-in was an answer");
    scene.app.clock.advance(DAY);
    let acme = Task::AskOrganization { forge_url: scene.forge.url(), organization_id: scene.acme.clone() };
    assert_eq!(asked().await, [acme]);
}

#[tokio::test]
async fn a_no_that_comes_after_the_next_sign_in_ends_nothing() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let asked = scene.membership(root).await;
    scene.app.clock.advance(DAY);
    at_sign_in(&scene.app, root, &scene.fresh_token("root")).await.unwrap();
    let organization = (&*scene.forge.url(), &*scene.acme);
    settle::settle(&scene.app, organization, vec![(asked, Answer::Gone)], settle::Occasion::Day).await.unwrap();
    assert!(scene.token_works(root).await && scene.role(root).await.is_some());
}
