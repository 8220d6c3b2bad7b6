//! Questions beside the main one, which a forge of GitHub's shape may not answer.

use super::*;
use crate::db::{HookState, ScanState};
use crate::sources::listing;

crate::testing::on_postgres! {
    a_list_is_good_though_nobody_says_who_keeps_this_app_out,
    one_repository_whose_files_cannot_be_listed_holds_up_no_other,
}

const MEMBERSHIPS: &str = "/user/memberships/orgs";

async fn error_of_list(scene: &Scene, who: &Someone) -> Option<String> {
    listing::refresh(&scene.app, who.connection_id).await.unwrap();
    scene.quiet().await;
    let now = listing::connection(&scene.app, who.connection_id).await.unwrap();
    assert!(now.listed_at.is_some());
    now.listing_error
}

#[tokio::test]
async fn a_list_is_good_though_nobody_says_who_keeps_this_app_out() {
    let scene = Scene::start(NEVER).await;
    let mona = scene.someone("mona").await;
    scene.forge.organization("acme", "mona");
    scene.code("acme", "web", false);
    let known = async || listing::unapproved(&listing::connection(&scene.app, mona.connection_id).await.unwrap());
    // The list of memberships fails alone: each organisation of the list before is asked for by name.
    for status in [404, 403, 410, 422] {
        scene.forge.restrict_apps("acme", false);
        assert_eq!(error_of_list(&scene, &mona).await, None);
        scene.forge.restrict_apps("acme", true);
        scene.forge.fail_next_at(MEMBERSHIPS, 1, status);
        assert_eq!(error_of_list(&scene, &mona).await, None, "{status}");
        assert_eq!(known().await, ["acme"], "{status}");
    }
    // Nothing is found out: what was known stays.
    for status in [500, 401] {
        scene.forge.fail_next_at(MEMBERSHIPS, 100, status);
        assert_eq!(error_of_list(&scene, &mona).await, None, "{status}");
        assert_eq!(known().await, ["acme"], "{status}");
        scene.forge.heal();
    }
}

#[tokio::test]
async fn an_owner_imports_where_the_forge_lists_no_memberships() {
    let scene = Scene::start(NEVER).await;
    let (mona, lisa) = (scene.someone("mona").await, scene.someone("lisa").await);
    scene.forge.organization("acme", "mona");
    scene.forge.member("acme", "lisa", false);
    scene.code("acme", "web", false);
    let (of_lisa, of_mona) = (scene.listed(&lisa, "acme/web").await, scene.listed(&mona, "acme/web").await);
    scene.quiet().await;
    scene.forge.fail_next_at(MEMBERSHIPS, 1, 404);
    let refused = crate::sources::import::import(&scene.app, &may_use(&lisa), of_lisa.id, None).await.unwrap_err();
    assert_eq!(refused.status(), 403, "{refused}");
    scene.forge.fail_next_at(MEMBERSHIPS, 1, 404);
    let (name, _) = crate::sources::import::import(&scene.app, &may_use(&mona), of_mona.id, None).await.unwrap();
    assert_eq!(name.to_string(), "acme/web");
}

#[tokio::test]
async fn one_repository_whose_files_cannot_be_listed_holds_up_no_other() {
    let scene = Scene::start(NEVER).await;
    let mona = scene.someone("mona").await;
    let huge = scene.code("mona", "huge", false);
    for n in 0..6 {
        scene.code("mona", &format!("web-{n}"), false);
    }
    scene.forge.fail_next_at(&format!("/repositories/{}/git/trees", huge.id()), 100, 500);
    assert_eq!(error_of_list(&scene, &mona).await, None);
    let (rows, _) = listing::search(&scene.app, mona.connection_id, "", 1).await.unwrap();
    for row in rows {
        let expected = if row.full_name == "mona/huge" { ScanState::Failed } else { ScanState::Done };
        assert_eq!(row.scan_state, expected, "{}", row.full_name);
    }
}

#[tokio::test]
async fn a_forge_that_does_not_list_files_is_not_said_to_have_no_dockerfile() {
    let scene = Scene::start(NEVER).await;
    let mona = scene.someone("mona").await;
    let code = scene.code("mona", "web", false);
    scene.forge.repository("mona", "empty", false);
    scene.forge.fail_next_at("/git/trees", 1_000, 404);
    assert_eq!(error_of_list(&scene, &mona).await, None);
    let (rows, _) = listing::search(&scene.app, mona.connection_id, "", 1).await.unwrap();
    let found = |name| rows.iter().find(|row| row.full_name == name).unwrap();
    assert_eq!(found("mona/web").scan_state, ScanState::Failed);
    assert_eq!(found("mona/empty").scan_state, ScanState::Done);
    let (allowed, listed) = (may_use(&mona), found("mona/web").id);
    let error = crate::sources::import::import(&scene.app, &allowed, listed, None).await.unwrap_err().to_string();
    assert_eq!(error, "the files of `mona/web` could not be listed: type the path of its Dockerfile");
    // Whoever types it needs no list.
    let typed = Some("Dockerfile".to_owned());
    let (name, _) = crate::sources::import::import(&scene.app, &allowed, listed, typed).await.unwrap();
    assert_eq!((name.to_string(), code.head("main").is_some()), ("mona/web".to_owned(), true));
}

#[tokio::test]
async fn branches_are_compared_where_the_forge_does_not_list_tags() {
    let scene = Scene::start(NEVER).await;
    let mona = scene.someone("mona").await;
    let code = scene.code("mona", "web", false);
    let head = code.head("main").unwrap();
    scene.forge.fail_next_at("/tags", 1, 404);
    let error = scene.import(&mona, "mona/web").await.unwrap_err().to_string();
    assert!(error.contains("does not list the tags of `mona/web` (not found)"), "{error}");
    code.change("main").file("a", "1").quietly().commit("Nobody told");
    let (name, _) = scene.import(&mona, "mona/web").await.unwrap();
    scene.quiet().await;
    code.tags(&["v1.0.0"], &head);
    scene.poll("mona/web").await;
    // What is known of tags stays.
    let known =
        async || crate::db::sources::refs::live(&scene.app.db, scene.source("mona/web").await.id).await.unwrap().len();
    assert_eq!(known().await, 2);
    for status in [404, 403] {
        let head = code.change("main").file("a", status.to_string()).quietly().commit("Nobody told again");
        // What the hook told of a moment ago is newer than the list.
        scene.app.clock.advance(2 * crate::clock::MINUTE);
        scene.forge.fail_next_at("/tags", 2, status);
        let source = scene.poll("mona/web").await;
        assert_eq!(source.state, crate::db::SourceState::Active, "{status}");
        scene.build_of(&name, "refs/heads/main", &head).await;
        assert_eq!(known().await, 2);
        scene.forge.heal();
    }
}

#[tokio::test]
async fn a_forge_that_pings_no_hook_has_one_all_the_same() {
    let scene = Scene::start(NEVER).await;
    let code = scene.code("mona", "web", false);
    let mona = scene.someone("mona").await;
    scene.forge.fail_next_at("/pings", 1, 404);
    scene.import(&mona, "mona/web").await.unwrap();
    scene.quiet().await;
    let source = scene.source("mona/web").await;
    assert_eq!((code.hooks().len(), source.hook_state, source.hook_detail), (1, HookState::Active, None));
}
