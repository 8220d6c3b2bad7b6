//! What a namespace shows.

use super::*;
use crate::db::Visibility;
use crate::policy::{self, Bound, NamespaceAccess, Who};
use crate::testing::{self, TestApp};

crate::testing::on_postgres! {
    a_page_of_repositories_is_cut_searched_and_counted,
    what_a_person_sees_first_changed_last,
    a_choice_of_who_may_pull_heeds_what_happened_meanwhile,
}

/// Forty private repositories `r00`… and two public ones, `a_b` the last that changed.
async fn filled(app: &TestApp) -> rows::Namespace {
    let namespace = testing::namespace("acme");
    let tx = app.db.begin().await.unwrap();
    db::namespaces::insert(&tx, namespace.clone()).await.unwrap();
    for n in 0..42_i64 {
        let (name, visibility) = match n {
            40 => ("axb".to_owned(), Visibility::Public),
            41 => ("a_b".to_owned(), Visibility::Public),
            _ => (format!("r{n:02}"), Visibility::Private),
        };
        let row = rows::Repository { visibility, updated_at: n, ..testing::repository(namespace.id, &name) };
        db::repositories::insert(&tx, row).await.unwrap();
    }
    tx.commit().await.unwrap();
    namespace
}

fn reading(namespace: &rows::Namespace, role: Option<Role>) -> Allowed<ReadNamespace> {
    let name = namespace.name.parse().unwrap();
    let on = NamespaceAccess { id: namespace.id, name, has_public_repository: true, role };
    let who = Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false };
    policy::check(&Principal { who, bound: Bound::None }, on).unwrap()
}

#[tokio::test]
async fn a_page_of_repositories_is_cut_searched_and_counted() {
    let app = TestApp::start().await;
    let namespace = filled(&app).await;
    let (member, stranger) = (reading(&namespace, Some(Role::Reader)), reading(&namespace, None));
    let names = async |allowed: &Allowed<ReadNamespace>, part: &str, by_name: bool, offset: u64, limit: u64| {
        let (found, total) = page(&app, allowed, part, by_name, offset, limit).await.unwrap();
        (found.into_iter().map(|r| r.name).collect::<Vec<_>>().join(" "), total)
    };
    assert_eq!(names(&member, "", true, 0, 3).await, ("a_b axb r00".to_owned(), 42));
    assert_eq!(names(&member, "", false, 0, 3).await, ("a_b axb r39".to_owned(), 42));
    assert_eq!(names(&member, "r1", true, 8, 30).await, ("r18 r19".to_owned(), 10));
    assert_eq!(names(&member, "_", true, 0, 30).await, ("a_b".to_owned(), 1), "a pattern is text");
    assert_eq!(names(&stranger, "", true, 0, 30).await, ("a_b axb".to_owned(), 2));
    assert_eq!((count(&app, &member).await.unwrap(), count(&app, &stranger).await.unwrap()), (42, 2));
}

#[tokio::test]
async fn what_a_person_sees_first_changed_last() {
    let app = TestApp::start().await;
    let namespace = filled(&app).await;
    let user = testing::user("lisa");
    let tx = app.db.begin().await.unwrap();
    db::users::insert(&tx, user.clone()).await.unwrap();
    db::namespaces::insert_grant(&tx, rows::Grant::given(namespace.id, user.id, Role::Reader, 1)).await.unwrap();
    tx.commit().await.unwrap();
    let who = Who::User { id: user.id, name: user.name, is_site_admin: false };
    let allowed = policy::check(&Principal { who, bound: Bound::None }, policy::Site).unwrap();
    let found = newest_of_user(&app, &allowed, 2).await.unwrap();
    let names: Vec<_> = found.iter().map(|(namespace, r)| format!("{namespace}/{}", r.name)).collect();
    assert_eq!(names, ["acme/a_b", "acme/axb"]);
}

#[tokio::test]
async fn a_choice_of_who_may_pull_heeds_what_happened_meanwhile() {
    let app = TestApp::start().await;
    let (namespace, user) = (testing::namespace("acme"), testing::user("mona"));
    let row = rows::Repository { visibility: Visibility::Public, ..testing::repository(namespace.id, "web") };
    let tx = app.db.begin().await.unwrap();
    db::users::insert(&tx, user.clone()).await.unwrap();
    db::namespaces::insert(&tx, namespace.clone()).await.unwrap();
    let row = db::repositories::insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    let on = policy::RepositoryAccess {
        id: row.id,
        namespace_id: namespace.id,
        name: "acme/web".parse().unwrap(),
        visibility: Visibility::Public,
        is_live: true,
        role: Some(Role::Admin),
    };
    let who = Who::User { id: user.id, name: user.name, is_site_admin: false };
    let allowed = policy::check(&Principal { who, bound: Bound::None }, on).unwrap();
    // The code turns private after the page was read that is answered now.
    let tx = app.db.begin().await.unwrap();
    db::repositories::set_visibility(&tx, row.id, Visibility::Private, 2).await.unwrap();
    tx.commit().await.unwrap();
    visibility::set(&app, &allowed, Visibility::Public).await.unwrap();
    let present = db::repositories::find(&app.db, row.id).await.unwrap().unwrap().visibility;
    assert_eq!(present, Visibility::Public);
    assert_eq!(db::events::count(&app.db, "repository.visibility_changed").await, 1);
}
