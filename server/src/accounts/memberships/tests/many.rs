//! Very many people, and what others notice of it.

use super::*;
use crate::accounts::memberships::{Confirmed, all_departures, confirm, confirm_by_operator, held_in};

crate::testing::on_postgres! {
    each_organization_is_listed_however_many_people_of_another_wait,
    a_confirmation_ends_the_rights_of_those_who_were_listed_and_says_who_is_left,
    who_was_not_listed_keeps_the_rights,
    organizations_of_others_are_no_part_of_a_list,
    an_operator_ends_the_rights_of_those_who_were_listed_and_of_no_others,
    an_operator_names_one_of_two_organizations_with_one_login_by_its_number,
    people_of_many_pieces_are_held_together,
    a_start_reads_people_together_and_writes_for_those_who_change,
}

/// A namespace of another organisation with somebody as admin.
async fn administers(scene: &Scene, user_id: Uuid, organization_id: &str) -> rows::Namespace {
    let tx = scene.app.db.begin().await.unwrap();
    let namespace = rows::Namespace {
        kind: NamespaceKind::Organization,
        forge_url: Some(scene.forge.url()),
        forge_account_id: Some(organization_id.to_owned()),
        ..testing::namespace(&format!("of-{organization_id}"))
    };
    let namespace = db::namespaces::insert(&tx, namespace).await.unwrap();
    let grant = rows::Grant::given(namespace.id, user_id, Role::Admin, 0);
    db::namespaces::insert_grant(&tx, grant).await.unwrap();
    tx.commit().await.unwrap();
    namespace
}

#[tokio::test]
async fn each_organization_is_listed_however_many_people_of_another_wait() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::None).await;
    administers(&scene, root, "777").await;
    scene.crowd("777", 3).await;
    scene.app.clock.advance(DAY);
    scene.crowd(&scene.acme, 600).await;
    let seen = scene.departures(root).await;
    let mut counts: Vec<_> = seen.groups.iter().map(|g| (g.held.len(), g.all_held)).collect();
    counts.sort_unstable();
    assert_eq!((counts, seen.more), (vec![(3, 3), (250, 600)], 0));
}

#[tokio::test]
async fn a_confirmation_ends_the_rights_of_those_who_were_listed_and_says_who_is_left() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::None).await;
    scene.crowd(&scene.acme, 507).await;
    assert_eq!(scene.confirm(root).await.unwrap(), Confirmed { ended: 500, left: 7 });
    let largest = scene.app.db.largest_change();
    assert!(largest < 150, "{largest} rows in one transaction");
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 7);
    let seen = scene.departures(root).await.groups;
    assert_eq!((seen[0].held.len(), seen[0].ended.len(), seen[0].all_ended), (7, 200, 500));
    assert_eq!(scene.confirm_by_operator("acme").await.unwrap(), Confirmed { ended: 7, left: 0 });
}

#[tokio::test]
async fn who_was_not_listed_keeps_the_rights() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::None).await;
    let allowed = scene.allowed(root).await;
    scene.crowd(&scene.acme, 3).await;
    let listed = scene.departures(root).await.groups[0].listed.unwrap();
    // Somebody whose server has a slow clock comes before the last one that was listed.
    let row = scene.membership(scene.member("bart", Permission::None).await).await;
    let early = rows::Membership { state: MembershipState::Held, changed_at: 1, ..row };
    let tx = scene.app.db.begin().await.unwrap();
    db::memberships::put(&tx, early).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(confirm(&scene.app, &allowed, listed).await.unwrap_err().status(), 409);
    let listed = scene.departures(root).await.groups[0].listed.unwrap();
    scene.app.clock.advance(1);
    let later = scene.crowd(&scene.acme, 2).await;
    assert_eq!(confirm(&scene.app, &allowed, listed).await.unwrap(), Confirmed { ended: 4, left: 2 });
    assert_eq!(scene.membership(later[0]).await.state, MembershipState::Held);
    // A second click on the same button.
    assert_eq!(confirm(&scene.app, &allowed, listed).await.unwrap_err().status(), 404);
}

#[tokio::test]
async fn organizations_of_others_are_no_part_of_a_list() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::None).await;
    scene.crowd(&scene.acme, 1).await;
    for n in 0..60 {
        scene.crowd(&format!("1000{n}"), 2).await;
    }
    let before = scene.app.db.statements();
    let seen = scene.departures(root).await;
    assert_eq!((seen.groups.len(), seen.more, seen.groups[0].held.len()), (1, 0, 1));
    let asked = scene.app.db.statements() - before;
    assert!(asked < 20, "{asked} statements");
    let tx = scene.app.db.begin().await.unwrap();
    db::users::set_site_admin(&tx, root, true).await.unwrap();
    tx.commit().await.unwrap();
    let seen = scene.departures(root).await;
    assert_eq!((seen.groups.len(), seen.more), (50, 11));
}

#[tokio::test]
async fn an_operator_ends_the_rights_of_those_who_were_listed_and_of_no_others() {
    let scene = Scene::start().await;
    scene.crowd(&scene.acme, 3).await;
    let listed = all_departures(&scene.app).await.unwrap().groups[0].listed;
    let unseen = confirm_by_operator(&scene.app, "acme", None).await.unwrap_err();
    assert!(unseen.to_string().contains("--until"), "{unseen}");
    scene.app.clock.advance(1);
    let later = scene.crowd(&scene.acme, 2).await;
    let (of_another, acme) = (scene.crowd("777", 1).await, format!("id:{}", scene.acme));
    let done = confirm_by_operator(&scene.app, &acme, listed).await.unwrap();
    assert_eq!(done, Confirmed { ended: 3, left: 2 });
    for (user, organization) in [(later[0], &*scene.acme), (later[1], &*scene.acme), (of_another[0], "777")] {
        let row = db::memberships::find(&scene.app.db, user, &scene.forge.url(), organization).await.unwrap();
        assert_eq!(row.unwrap().state, MembershipState::Held);
    }
    // The same command once more.
    assert_eq!(confirm_by_operator(&scene.app, &acme, listed).await.unwrap_err().status(), 404);
}

#[tokio::test]
async fn an_operator_names_one_of_two_organizations_with_one_login_by_its_number() {
    let scene = Scene::start().await;
    scene.crowd(&scene.acme, 3).await;
    // Another organisation took the login that the first one gave up.
    scene.crowd("777", 2).await;
    let groups = all_departures(&scene.app).await.unwrap().groups;
    let listed = |id: &str| groups.iter().find(|group| group.id == id).unwrap().listed;
    for until in [None, listed("777"), listed(&scene.acme)] {
        let refused = confirm_by_operator(&scene.app, "acme", until).await.unwrap_err().to_string();
        assert!(refused.contains("id:777") && refused.contains(&format!("id:{}", scene.acme)), "{refused}");
    }
    // The list of one says nothing of the other.
    assert_eq!(confirm_by_operator(&scene.app, "id:777", listed(&scene.acme)).await.unwrap_err().status(), 404);
    let done = confirm_by_operator(&scene.app, "id:777", listed("777")).await.unwrap();
    assert_eq!(done, Confirmed { ended: 2, left: 0 });
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 3);
}

/// Members who came by the organisation, and the answers that say that all have left.
async fn answers(scene: &Scene, people: usize) -> Vec<(rows::Membership, Answer)> {
    let mut gone = Vec::new();
    for n in 0..people {
        let id = scene.member(&format!("member{n}"), Permission::None).await;
        gone.push((scene.membership(id).await, Answer::Gone));
    }
    scene.app.db.largest_change();
    gone
}

async fn settle_all(scene: &Scene, answers: Vec<(rows::Membership, Answer)>) -> crate::error::Result<()> {
    let acme = (&*scene.forge.url(), &*scene.acme);
    settle::settle(&scene.app, acme, answers, settle::Occasion::Day).await
}

#[tokio::test]
async fn people_of_many_pieces_are_held_together() {
    let scene = Scene::start().await;
    let gone = answers(&scene, 60).await;
    settle_all(&scene, gone).await.unwrap();
    let largest = scene.app.db.largest_change();
    assert!(largest < 100, "{largest} rows in one transaction");
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 60);
}

/// Writing the membership of one person fails, as when the server ends there.
async fn break_off_at(scene: &Scene, user_id: Uuid) {
    let id = user_id.simple();
    let sql = format!(
        "CREATE TRIGGER broken BEFORE UPDATE ON membership WHEN NEW.user_id = x'{id}' BEGIN SELECT RAISE(ABORT, 'x'); END"
    );
    db::connect::execute(&scene.app.db, &sql).await;
}

async fn heal(scene: &Scene) {
    db::connect::execute(&scene.app.db, "DROP TRIGGER broken").await;
}

#[tokio::test]
async fn what_breaks_off_between_pieces_goes_on_where_it_was() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::None).await;
    let gone = answers(&scene, 60).await;
    let last = gone[59].0.user_id;
    break_off_at(&scene, last).await;
    settle_all(&scene, gone.clone()).await.unwrap_err();
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 50);
    heal(&scene).await;
    settle_all(&scene, gone).await.unwrap();
    assert_eq!(held_in(&scene.app, scene.namespace.id).await.unwrap(), 60, "the last ten are no few");
    break_off_at(&scene, last).await;
    let listed = scene.departures(root).await.groups[0].listed.unwrap();
    confirm(&scene.app, &scene.allowed(root).await, listed).await.unwrap_err();
    let largest = scene.app.db.largest_change();
    assert!(largest < 250, "{largest} rows in one transaction");
    heal(&scene).await;
    let left = held_in(&scene.app, scene.namespace.id).await.unwrap();
    assert!((1..60).contains(&left), "{left} wait");
    assert!(scene.token_works(last).await);
    assert_eq!(scene.confirm(root).await.unwrap(), Confirmed { ended: left, left: 0 });
    assert!(!scene.token_works(last).await);
}

#[tokio::test]
async fn a_start_reads_people_together_and_writes_for_those_who_change() {
    let mut scene = Scene::start_with("everybody = true").await;
    for n in 0..120 {
        scene.person(&format!("person{n}"), Admission::Everybody, Permission::None).await;
    }
    scene.app.db.largest_change();
    let before = scene.app.db.statements();
    standing::at_start(&scene.app).await.unwrap();
    let asked = scene.app.db.statements() - before;
    assert!(asked < 10, "{asked} statements");
    assert_eq!(scene.app.db.largest_change(), 0);
    let app = Arc::get_mut(&mut scene.app.app).expect("nobody else has it");
    app.config.sign_in.everybody = false;
    app.config.sign_in.users = vec!["person7".into()];
    standing::at_start(&scene.app).await.unwrap();
    let largest = scene.app.db.largest_change();
    assert!(largest < 250, "{largest} rows in one transaction");
    assert_eq!(db::events::count(&scene.app.db, "user.suspended").await, 119);
}
