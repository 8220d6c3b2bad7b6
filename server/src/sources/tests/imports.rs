//! Listing and importing.

use super::*;
use crate::db::{HookState, NamespaceKind, RepositoryState, Role, Visibility};
use crate::error::Error;
use crate::names::Digest;
use crate::sources::{import, listing};
use crate::testing;

crate::testing::on_postgres! {
    an_import_makes_everything_and_its_first_build,
    each_dockerfile_can_fill_a_repository,
    an_organisation_comes_by_one_of_its_owners,
    a_second_owner_gets_a_role_with_what_is_there,
    a_taken_name_gets_a_number,
    an_import_takes_the_name_of_a_push_that_broke_off,
    only_the_own_list_can_be_imported_from,
    what_cannot_be_built_is_said,
    what_cannot_be_scanned_now_is_asked_for_once,
    a_list_follows_the_forge,
}

#[tokio::test]
async fn an_import_makes_everything_and_its_first_build() {
    let scene = Scene::start(NEVER).await;
    let code = scene.code("mona", "Hello_World", true);
    code.set_branch("old", &code.head("main").unwrap());
    let mona = scene.someone("mona").await;
    let (name, number) = scene.import(&mona, "mona/Hello_World").await.unwrap();
    assert_eq!((name.to_string().as_str(), number), ("mona/hello-world", 1));

    let builds = scene.builds(&name).await;
    assert_eq!(builds.len(), 1, "the other branches are known, not built");
    let head = code.head("main").unwrap();
    assert_eq!((builds[0].ref_name.as_str(), &builds[0].commit_hash), ("refs/heads/main", &head));
    assert_eq!((builds[0].commit_title.as_str(), builds[0].trigger), ("Say hello", db::Trigger::Import));

    let source = scene.source("mona/Hello_World").await;
    let access = scene.admin(&mona, &name).await;
    assert_eq!(access.on().visibility, Visibility::Private);
    assert_eq!(access.on().role, Some(Role::Admin));
    let namespace = db::namespaces::find(&scene.app.db, source.namespace_id).await.unwrap().unwrap();
    assert_eq!((namespace.kind, namespace.forge_url), (NamespaceKind::User, Some(scene.forge.url())));

    scene
        .wait("the forge called", async |app| {
            source_of(app, "mona/Hello_World").await.unwrap().hook_state == HookState::Active
        })
        .await;
    let hooks = code.hooks();
    assert_eq!(hooks.len(), 1);
    assert!(hooks[0].url.ends_with(&format!("/hooks/github/{}", source.id)));
    assert_eq!(hooks[0].secret.as_ref().map(String::len), Some(64));
    scene.wait("the commit shows it", async |_| !code.statuses(&head).is_empty()).await;
    let status = code.statuses(&head).pop().unwrap();
    assert_eq!((status.state.as_str(), status.context.as_str()), ("pending", "slipway/mona/hello-world"));
    assert!(status.target_url.unwrap().ends_with("/mona/hello-world/-/builds/1"));

    // Pressed again, it leads to what is there.
    let again = scene.import(&mona, "mona/Hello_World").await.unwrap();
    assert_eq!(again, (name.clone(), 1));
    assert_eq!(scene.builds(&name).await.len(), 1);
    let listed = scene.listed(&mona, "mona/Hello_World").await;
    let imported = listing::imported(&scene.app, &may_use(&mona), &scene.forge.url(), &[listed]).await.unwrap();
    let filled = listing::Filled { repository: name.clone(), dockerfile: "Dockerfile".to_owned() };
    assert_eq!(imported.values().next(), Some(&vec![filled]));

    let clone = crate::sources::clone_authorization(&scene.app, &source).await.unwrap().unwrap();
    assert!(clone.0.starts_with("Basic "));
    assert_eq!(format!("{clone:?}"), "***");
}

#[tokio::test]
async fn each_dockerfile_can_fill_a_repository() {
    let scene = Scene::start(NEVER).await;
    let code = scene.code("mona", "shop", false);
    code.commit("main", &[("services/api/Dockerfile", "FROM scratch\n"), ("vendor/x/Dockerfile", "")], "Add api");
    let mona = scene.someone("mona").await;
    let listed = scene.listed(&mona, "mona/shop").await;
    assert_eq!(listing::dockerfiles_of(&listed), ["Dockerfile", "services/api/Dockerfile"]);
    let first = scene.import(&mona, "mona/shop").await.unwrap();
    let api = Some("services/api/Dockerfile".to_owned());
    let second = import::import(&scene.app, &may_use(&mona), listed.id, api.clone()).await.unwrap();
    assert_eq!((first.0.to_string(), second.0.to_string()), ("mona/shop".into(), "mona/shop-api".into()));
    assert_eq!(import::import(&scene.app, &may_use(&mona), listed.id, api).await.unwrap(), second);
    let source = scene.source("mona/shop").await;
    let rules = db::sources::rules_of(&scene.app.db, source.id).await.unwrap();
    let contexts: Vec<&str> = rules.iter().map(|r| r.context.as_str()).collect();
    assert_eq!(contexts, ["", "services/api"]);
    for same in ["./services/api/Dockerfile", "/services/api/Dockerfile", " services//api/Dockerfile"] {
        let again = import::import(&scene.app, &may_use(&mona), listed.id, Some(same.into())).await.unwrap();
        assert_eq!(again, second, "{same}");
    }
    for bad in ["../Dockerfile", "services/api/", "a\nb"] {
        let result = import::import(&scene.app, &may_use(&mona), listed.id, Some(bad.into())).await;
        assert!(matches!(result, Err(Error::Invalid(_))), "{bad}");
    }
    // One push builds both.
    let head = code.commit("main", &[("a", "b")], "Change both");
    scene.build_of(&first.0, "refs/heads/main", &head).await;
    scene.build_of(&second.0, "refs/heads/main", &head).await;
}

#[tokio::test]
async fn an_organisation_comes_by_one_of_its_owners() {
    let scene = Scene::start(NEVER).await;
    scene.forge.organization("acme", "mona");
    scene.forge.member("acme", "hubot", false);
    scene.code("acme", "web", true);
    let hubot = scene.someone("hubot").await;
    let refused = scene.import(&hubot, "acme/web").await.unwrap_err();
    assert!(matches!(refused, Error::Forbidden(_)), "{refused}");
    let mona = scene.someone("mona").await;
    assert_eq!(scene.import(&mona, "acme/web").await.unwrap().0.to_string(), "acme/web");
    // Being a member at the forge is no role here, and the name of what is here is not told.
    let refused = scene.import(&hubot, "acme/web").await.unwrap_err();
    assert!(matches!(refused, Error::Forbidden(_)), "{refused}");
    let code = scene.code("acme", "other", true);
    assert!(matches!(scene.import(&hubot, "acme/other").await, Err(Error::Forbidden(_))));
    drop(code);
}

#[tokio::test]
async fn a_second_owner_gets_a_role_with_what_is_there() {
    let scene = Scene::start(NEVER).await;
    scene.forge.organization("acme", "mona");
    scene.forge.member("acme", "lisa", true);
    scene.code("acme", "web", true);
    let mona = scene.someone("mona").await;
    let (name, _) = scene.import(&mona, "acme/web").await.unwrap();
    let lisa = scene.someone("lisa").await;
    assert_eq!(scene.import(&lisa, "acme/web").await.unwrap(), (name.clone(), 1));
    assert_eq!(scene.admin(&lisa, &name).await.on().role, Some(Role::Admin));

    // Whoever has a role here already is led there, whatever the forge says of it.
    let hubot = scene.someone("hubot").await;
    scene.forge.member("acme", "hubot", false);
    scene.give(&hubot, &name, Role::Reader).await;
    assert_eq!(scene.import(&hubot, "acme/web").await.unwrap(), (name, 1));
}

#[tokio::test]
async fn a_taken_name_gets_a_number() {
    let scene = Scene::start(NEVER).await;
    scene.code("mona", "web", false);
    let tx = scene.app.db.begin().await.unwrap();
    let row = testing::namespace("mona");
    db::namespaces::insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    let mona = scene.someone("mona").await;
    assert_eq!(scene.import(&mona, "mona/web").await.unwrap().0.to_string(), "mona-2/web");
}

#[tokio::test]
async fn an_import_takes_the_name_of_a_push_that_broke_off() {
    let scene = Scene::start(NEVER).await;
    for name in ["first", "web"] {
        scene.code("mona", name, false);
    }
    let mona = scene.someone("mona").await;
    let (first, _) = scene.import(&mona, "mona/first").await.unwrap();
    let db = &scene.app.db;
    let namespace_id = scene.admin(&mona, &first).await.on().namespace_id;
    let row = rows::Repository { state: RepositoryState::Provisional, ..testing::repository(namespace_id, "web") };
    let digest = Digest::of(b"layer");
    let key = db::objects::register(db, db::ObjectKind::Blob, 0).await.unwrap();
    let tx = db.begin().await.unwrap();
    db::repositories::insert(&tx, row.clone()).await.unwrap();
    let (blob, _) = db::blobs::upsert(&tx, &digest, 5, &key, 0).await.unwrap();
    db::blobs::link(&tx, row.id, blob.id, None, 0).await.unwrap();
    tx.commit().await.unwrap();

    let (name, number) = scene.import(&mona, "mona/web").await.unwrap();
    assert_eq!((name.to_string().as_str(), number), ("mona/web", 1));
    let taken = db::repositories::find_by_name(db, namespace_id, "web").await.unwrap().unwrap();
    assert_eq!((taken.state, taken.visibility), (RepositoryState::Live, Visibility::Public));
    let linked = db::blobs::find_linked(db, taken.id, &digest).await.unwrap();
    assert!(linked.is_none(), "what was pushed to a private repository is not public by its import");
}

#[tokio::test]
async fn only_the_own_list_can_be_imported_from() {
    let scene = Scene::start(NEVER).await;
    scene.code("mona", "web", true);
    let mona = scene.someone("mona").await;
    let eve = scene.someone("eve").await;
    let listed = scene.listed(&mona, "mona/web").await;
    let result = import::import(&scene.app, &may_use(&eve), listed.id, None).await;
    assert!(matches!(result, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn what_cannot_be_built_is_said() {
    let scene = Scene::start(NEVER).await;
    scene.forge.person("mona");
    scene.forge.repository("mona", "empty", false);
    scene.forge.repository("mona", "plain", false).commit("main", &[("README", "x")], "Start");
    let mona = scene.someone("mona").await;
    for name in ["mona/empty", "mona/plain"] {
        let error = scene.import(&mona, name).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_scanned_now_is_asked_for_once() {
    let scene = Scene::start(NEVER).await;
    scene.code("mona", "web", false);
    let mona = scene.someone("mona").await;
    scene.forge.fail_next_at("/git/trees", 1_000, 500);
    listing::refresh(&scene.app, mona.connection_id).await.unwrap();
    let look = async |app: &App| listing::search(app, mona.connection_id, "", 1).await.unwrap().1 == 1;
    scene.wait("it is listed", look).await;
    for _ in 0..6 {
        assert!(look(&scene.app).await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let scan = Task::ScanRepositories { connection_id: mona.connection_id, only: Vec::new() };
    let asked = jobs::open(&scene.app, &scan).await.unwrap();
    assert!(asked.len() <= 2, "by the listing and by the page: {asked:?}");
}

#[tokio::test]
async fn a_list_follows_the_forge() {
    let scene = Scene::start(NEVER).await;
    let code = scene.code("mona", "web", false);
    scene.forge.organization("acme", "mona");
    scene.code("acme", "tool", true);
    for n in 0..105 {
        scene.forge.repository("mona", &format!("r{n}"), false);
    }
    let mona = scene.someone("mona").await;
    let listed = scene.listed(&mona, "acme/tool").await;
    let (rows, total) = listing::search(&scene.app, mona.connection_id, "", 1).await.unwrap();
    assert_eq!((rows.len(), total), (30, 107));
    let (rows, total) = listing::search(&scene.app, mona.connection_id, "mona/R10", 1).await.unwrap();
    assert_eq!((rows.len(), total), (6, 6));
    assert_eq!(listing::search(&scene.app, mona.connection_id, "%", 1).await.unwrap().1, 0);
    scene.quiet().await;

    code.delete();
    scene.forge.restrict_apps("acme", true);
    listing::refresh(&scene.app, mona.connection_id).await.unwrap();
    scene
        .wait("what is gone is gone", async |app| {
            let (rows, total) = listing::search(app, mona.connection_id, "", 1).await.unwrap();
            total == 105 && rows.iter().all(|r| r.id != listed.id)
        })
        .await;
    let connection = listing::connection(&scene.app, mona.connection_id).await.unwrap();
    assert_eq!(listing::unapproved(&connection), ["acme"]);
}

#[tokio::test]
async fn nothing_is_imported_where_there_is_no_room() {
    let scene = Scene::start(NEVER).await;
    scene.code("mona", "web", false);
    let mona = scene.someone("mona").await;
    let listed = scene.listed(&mona, "mona/web").await;
    scene.app.storage.pretend_free(0);
    let refused = import::import(&scene.app, &may_use(&mona), listed.id, None).await.unwrap_err();
    assert!(matches!(refused, Error::Full), "{refused}");
    assert!(source_of(&scene.app, "mona/web").await.is_none());
}
