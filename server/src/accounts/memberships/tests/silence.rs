//! Days on which the forge says neither yes nor no.

use super::*;

crate::testing::on_postgres! {
    an_outage_changes_nothing_for_six_days_and_suspends_on_the_seventh,
    a_sign_in_brings_back_what_was_suspended,
    a_sign_on_that_the_organization_asks_for_is_no_no,
    refusals_and_limits_are_no_no,
    a_day_with_an_answer_begins_the_count_anew,
    who_came_before_reasons_were_kept_has_a_week,
    a_name_that_is_off_the_lists_is_shut_out_at_the_next_start,
    an_invitation_outlives_the_lists,
    an_owner_who_is_not_answered_about_oneself_tells_nothing_of_others,
    a_sign_in_that_may_not_ask_is_no_day_without_an_answer,
    a_forge_that_is_down_is_not_asked_about_everybody,
}

#[tokio::test]
async fn an_outage_changes_nothing_for_six_days_and_suspends_on_the_seventh() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    scene.forge.set_down(true);
    for day in 1..=6 {
        scene.next_day().await;
        assert!(scene.token_works(root).await && scene.role(root).await.is_some(), "day {day}");
    }
    scene.next_day().await;
    assert!(!scene.token_works(root).await && scene.role(root).await.is_none());
    assert_eq!(scene.because(root).await, Some(Suspension::Unanswered));
    // Nothing has ended: it only rests.
    assert_eq!(scene.sessions(root).await, 1);
    assert!(db::tokens::of_user(&scene.app.db, root).await.unwrap()[0].revoked_at.is_none());
    assert_eq!(db::namespaces::grants_of(&scene.app.db, root).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_sign_in_brings_back_what_was_suspended() {
    let scene = Scene::start_with("everybody = true").await;
    let root = scene.owner("root", Permission::None).await;
    for _ in 0..7 {
        scene.next_day().await;
    }
    assert_eq!(scene.role(root).await, None);
    assert!(scene.token_works(root).await, "everybody may sign in");
    at_sign_in(&scene.app, root, &scene.fresh_token("root")).await.unwrap();
    assert_eq!(scene.role(root).await, Some(Role::Admin));
    scene.next_day().await;
    assert_eq!(scene.role(root).await, Some(Role::Admin));
}

#[tokio::test]
async fn a_sign_on_that_the_organization_asks_for_is_no_no() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let bart = scene.member("bart", Permission::Stored).await;
    scene.forge.want_sign_on("acme", true);
    scene.next_day().await;
    assert!(scene.token_works(bart).await && scene.role(root).await.is_some());
    assert!(scene.membership(bart).await.unanswered_since.is_some());
    scene.forge.want_sign_on("acme", false);
    scene.forge.restrict_apps("acme", true);
    scene.next_day().await;
    assert!(scene.token_works(bart).await && scene.role(root).await.is_some());
}

#[tokio::test]
async fn refusals_and_limits_are_no_no() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let bart = scene.member("bart", Permission::None).await;
    for status in [401, 403, 429, 500, 502, 503, 302] {
        scene.forge.fail_next_at("/memberships/", 50, status);
        scene.next_day().await;
        scene.forge.heal();
        assert!(scene.token_works(bart).await && scene.role(root).await.is_some(), "{status}");
        // A day with answers between.
        scene.next_day().await;
        // The owner is answered, and not what the owner asks about others.
        scene.forge.fail_next_at("/memberships/bart", 50, status);
        scene.next_day().await;
        scene.forge.heal();
        assert!(scene.token_works(bart).await, "{status}");
        scene.next_day().await;
    }
    // A "not found" where even the asker is not found says that the forge is out of order.
    scene.forge.fail_next_at("/api/v3/", 50, 404);
    scene.next_day().await;
    scene.forge.heal();
    assert!(scene.token_works(bart).await && scene.role(root).await.is_some());
    // Nor does a token that ended say anything about its owner.
    scene.forge.revoke_tokens("root");
    scene.next_day().await;
    assert!(scene.token_works(root).await && scene.role(root).await.is_some());
}

#[tokio::test]
async fn a_day_with_an_answer_begins_the_count_anew() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    for round in 0..3 {
        scene.forge.set_down(true);
        for _ in 0..6 {
            scene.next_day().await;
        }
        scene.forge.set_down(false);
        scene.next_day().await;
        assert!(scene.token_works(root).await && scene.role(root).await.is_some(), "round {round}");
    }
}

#[tokio::test]
async fn who_came_before_reasons_were_kept_has_a_week() {
    let scene = Scene::start().await;
    let old = scene.person("old", Admission::Named, Permission::None).await;
    db::users::forget_admission(&scene.app.db, old).await;
    standing::at_start(&scene.app).await.unwrap();
    for _ in 0..6 {
        scene.next_day().await;
    }
    assert!(scene.token_works(old).await);
    scene.next_day().await;
    assert_eq!(scene.because(old).await, Some(Suspension::Unanswered));
}

#[tokio::test]
async fn a_name_that_is_off_the_lists_is_shut_out_at_the_next_start() {
    let mut scene = Scene::start_with("users = [\"lisa\", \"bart\"]\nsite_admins = [\"homer\"]").await;
    let (lisa, bart) = (
        scene.person("lisa", Admission::Named, Permission::None).await,
        scene.person("bart", Admission::Named, Permission::None).await,
    );
    let homer = scene.person("homer", Admission::SiteAdmin, Permission::None).await;
    let tx = scene.app.db.begin().await.unwrap();
    db::users::set_site_admin(&tx, homer, true).await.unwrap();
    tx.commit().await.unwrap();
    standing::at_start(&scene.app).await.unwrap();
    assert!(scene.token_works(lisa).await && scene.user(homer).await.is_site_admin);

    let lists = |users: &[&str], admins: &[&str], scene: &mut Scene| {
        let config = &mut Arc::get_mut(&mut scene.app.app).unwrap().config.sign_in;
        config.users = users.iter().map(|u| (*u).to_owned()).collect();
        config.site_admins = admins.iter().map(|u| (*u).to_owned()).collect();
    };
    lists(&["bart", "homer"], &[], &mut scene);
    standing::at_start(&scene.app).await.unwrap();
    assert_eq!(scene.because(lisa).await, Some(Suspension::Lists));
    assert!(!scene.token_works(lisa).await && scene.sessions(lisa).await == 0);
    assert!(scene.token_works(bart).await && scene.sessions(bart).await == 1);
    assert!(scene.token_works(homer).await && !scene.user(homer).await.is_site_admin);
    // A mistake in the lists is mended by the next start.
    lists(&["lisa", "bart", "homer"], &[], &mut scene);
    standing::at_start(&scene.app).await.unwrap();
    assert!(scene.token_works(lisa).await);
    // Nobody is made an admin by a name that may be somebody else's by now.
    lists(&["bart"], &["lisa"], &mut scene);
    standing::at_start(&scene.app).await.unwrap();
    assert!(!scene.user(lisa).await.is_site_admin);
}

#[tokio::test]
async fn an_invitation_outlives_the_lists() {
    let scene = Scene::start_with("").await;
    let guest = scene.person("guest", Admission::Invited, Permission::None).await;
    let stranger = scene.person("stranger", Admission::Named, Permission::None).await;
    let tx = scene.app.db.begin().await.unwrap();
    let link = crate::accounts::invites::create(&scene.app, &tx, true).await.unwrap();
    let token = link.split_once('=').unwrap().1;
    let now = scene.app.clock.now();
    assert!(db::users::use_invite(&tx, &crate::secrets::hash(token), guest, now).await.unwrap());
    db::users::set_site_admin(&tx, guest, true).await.unwrap();
    tx.commit().await.unwrap();
    standing::at_start(&scene.app).await.unwrap();
    assert!(scene.token_works(guest).await && scene.user(guest).await.is_site_admin);
    assert!(!scene.token_works(stranger).await);
}

#[tokio::test]
async fn a_forge_that_answers_late_is_no_no() {
    let scene = Scene::start().await;
    let bart = scene.member("bart", Permission::Stored).await;
    scene.forge.hang_next(4, Duration::from_millis(300));
    scene.next_day().await;
    assert!(scene.token_works(bart).await);
    assert!(scene.membership(bart).await.unanswered_since.is_some());
}

#[tokio::test]
async fn an_owner_who_is_not_answered_about_oneself_tells_nothing_of_others() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let bart = scene.member("bart", Permission::None).await;
    // The list still has the organisation; whoever is asked about there is "not found".
    scene.forge.fail_next_at("/orgs/acme/memberships/", 50, 404);
    scene.next_day().await;
    assert!(scene.token_works(bart).await && scene.role(root).await.is_some());
    assert!(scene.membership(bart).await.unanswered_since.is_some());
}

#[tokio::test]
async fn a_sign_in_that_may_not_ask_is_no_day_without_an_answer() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::None).await;
    let weak = Secret::new(scene.forge.token_for("root", &["read:user"]));
    at_sign_in(&scene.app, root, &weak).await.unwrap();
    assert_eq!(scene.membership(root).await.unanswered_since, None);
}

#[tokio::test]
async fn a_forge_that_is_down_is_not_asked_about_everybody() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    for n in 0..30 {
        scene.member(&format!("member{n}"), Permission::None).await;
    }
    scene.forge.fail_next_at("/memberships/member", 1_000, 503);
    scene.next_day().await;
    let asked = scene.forge.requests("/memberships/member");
    assert!((8..20).contains(&asked), "asked {asked} times");
}
