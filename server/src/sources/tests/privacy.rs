//! Code that turns private, and the images made from it.

use super::*;
use crate::db::Visibility;
use crate::sources::privacy;

crate::testing::on_postgres! {
    a_webhook_that_code_is_private_hides_its_images_at_once,
    a_push_of_code_that_is_private_now_hides_its_images,
    polling_finds_that_code_is_private_and_hides_its_images,
    a_list_finds_that_code_is_private_and_hides_its_images,
    an_import_finds_that_code_is_private_and_hides_its_images,
    an_image_of_code_that_was_private_all_along_stays_public,
    one_of_two_sources_that_turns_private_is_enough,
    what_one_namespace_hears_hides_the_images_of_every_other,
    sources_of_one_code_repository_that_hear_at_once_do_not_wait_for_each_other,
    code_that_is_found_no_more_hides_nothing,
    a_choice_takes_the_sentence_away,
    an_import_of_another_dockerfile_finds_that_code_is_private_too,
    a_signed_word_is_enough_while_the_forge_does_not_answer,
}

/// Public code that is imported, with a webhook that works.
pub(super) async fn public(scene: &Scene) -> (Repo, Someone, RepositoryName) {
    let code = scene.code("mona", "web", false);
    let mona = scene.someone("mona").await;
    let (name, _) = scene.import(&mona, "mona/web").await.unwrap();
    scene.quiet().await;
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Public);
    (code, mona, name)
}

async fn repository(app: &App, name: &RepositoryName) -> rows::Repository {
    let namespace = db::namespaces::find_by_name(&app.db, name.namespace.as_str()).await.unwrap().unwrap();
    db::repositories::find_by_name(&app.db, namespace.id, &name.name).await.unwrap().unwrap()
}

pub(super) async fn visibility(app: &App, name: &RepositoryName) -> Visibility {
    repository(app, name).await.visibility
}

pub(super) async fn is_hidden(app: &App, name: &RepositoryName) -> bool {
    let row = repository(app, name).await;
    row.visibility == Visibility::Private && privacy::turned(app, row.id).await.unwrap().is_some()
}

async fn choose(scene: &Scene, who: &Someone, name: &RepositoryName, to: Visibility) {
    // As `namespaces::visibility` does, which sources may not name.
    let allowed = scene.admin(who, name).await;
    let tx = scene.app.db.begin().await.unwrap();
    db::turned_private::forget(&tx, allowed.on().id).await.unwrap();
    db::repositories::set_visibility(&tx, allowed.on().id, to, 1).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_webhook_that_code_is_private_hides_its_images_at_once() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = public(&scene).await;
    let asked = scene.forge.requests("GET /api/v3/repositories/");
    code.set_private(true);
    scene.wait("the image is private", async |app| is_hidden(app, &name).await).await;
    scene.quiet().await;
    assert!(scene.source("mona/web").await.is_private);
    assert!(scene.forge.requests("GET /api/v3/repositories/") > asked, "other facts are asked for");
    assert_eq!(db::events::count(&scene.app.db, "repository.visibility_changed").await, 1);
    // Published again, the code is known as public; the image waits for somebody to choose.
    code.set_private(false);
    scene.wait("the code is public", async |app| source_of(app, "mona/web").await.is_some_and(|s| !s.is_private)).await;
    scene.quiet().await;
    assert!(is_hidden(&scene.app, &name).await);
}

#[tokio::test]
async fn a_push_of_code_that_is_private_now_hides_its_images() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = public(&scene).await;
    code.set_private_quietly(true);
    code.commit("main", &[("a", "1")], "In the dark");
    scene.wait("the image is private", async |app| is_hidden(app, &name).await).await;
}

#[tokio::test]
async fn polling_finds_that_code_is_private_and_hides_its_images() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = public(&scene).await;
    code.set_private_quietly(true);
    let source = scene.source("mona/web").await;
    let long_ago = rows::Source { polled_at: source.polled_at.map(|at| at - 15 * crate::clock::MINUTE), ..source };
    crate::sources::polling::poll(&scene.app, &long_ago).await.unwrap();
    assert!(is_hidden(&scene.app, &name).await);
}

#[tokio::test]
async fn a_list_finds_that_code_is_private_and_hides_its_images() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, name) = public(&scene).await;
    code.set_private_quietly(true);
    crate::sources::listing::refresh(&scene.app, mona.connection_id).await.unwrap();
    scene.wait("the image is private", async |app| is_hidden(app, &name).await).await;
}

#[tokio::test]
async fn an_import_finds_that_code_is_private_and_hides_its_images() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, name) = public(&scene).await;
    let listed = scene.listed(&mona, "mona/web").await;
    code.set_private_quietly(true);
    crate::sources::import::import(&scene.app, &may_use(&mona), listed.id, None).await.unwrap();
    assert!(is_hidden(&scene.app, &name).await);
}

#[tokio::test]
async fn an_image_of_code_that_was_private_all_along_stays_public() {
    let scene = Scene::start(NEVER).await;
    let code = scene.code("mona", "web", true);
    let mona = scene.someone("mona").await;
    let (name, _) = scene.import(&mona, "mona/web").await.unwrap();
    scene.quiet().await;
    choose(&scene, &mona, &name, Visibility::Public).await;
    code.commit("main", &[("a", "1")], "As private as before");
    scene.poll("mona/web").await;
    crate::sources::listing::refresh(&scene.app, mona.connection_id).await.unwrap();
    scene.quiet().await;
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Public);
}

#[tokio::test]
async fn one_of_two_sources_that_turns_private_is_enough() {
    let scene = Scene::start(NEVER).await;
    let (_, mona, name) = public(&scene).await;
    let more = scene.code("mona", "more", false);
    let (other, _) = scene.import(&mona, "mona/more").await.unwrap();
    scene.quiet().await;
    let (first, second) = (repository(&scene.app, &name).await, scene.source("mona/more").await);
    let tx = scene.app.db.begin().await.unwrap();
    for rule in db::sources::rules_of(&tx, second.id).await.unwrap() {
        let also = rows::Rule { id: Uuid::now_v7(), repository_id: first.id, ..rule };
        db::sources::insert_rule(&tx, also).await.unwrap();
    }
    tx.commit().await.unwrap();
    more.set_private(true);
    scene.wait("both are private", async |app| is_hidden(app, &name).await && is_hidden(app, &other).await).await;
    let (_, code) = privacy::turned(&scene.app, first.id).await.unwrap().unwrap();
    assert_eq!(code.unwrap().full_name, "mona/more");
}

/// Another namespace's source of the same code, with an image of its own: its connection sees the code no longer once
/// that is private.
pub(super) async fn another(scene: &Scene, code: &rows::Source) -> (rows::Source, RepositoryName) {
    let eve = scene.someone("eve").await;
    let tx = scene.app.db.begin().await.unwrap();
    let namespace = db::namespaces::insert(&tx, testing::namespace("eve")).await.unwrap();
    let image = rows::Repository { visibility: Visibility::Public, ..testing::repository(namespace.id, "web") };
    let image = db::repositories::insert(&tx, image).await.unwrap();
    let (id, connection_id) = (Uuid::now_v7(), Some(eve.connection_id));
    let other = rows::Source { id, namespace_id: namespace.id, connection_id, ..code.clone() };
    let other = db::sources::insert(&tx, other).await.unwrap();
    for rule in db::sources::rules_of(&tx, code.id).await.unwrap() {
        let own = rows::Rule { id: Uuid::now_v7(), source_id: other.id, repository_id: image.id, ..rule };
        db::sources::insert_rule(&tx, own).await.unwrap();
    }
    tx.commit().await.unwrap();
    (other, "eve/web".parse().unwrap())
}

#[tokio::test]
async fn what_one_namespace_hears_hides_the_images_of_every_other() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = public(&scene).await;
    let first = scene.source("mona/web").await;
    let (other, of_eve) = another(&scene, &first).await;
    code.set_private(true);
    scene.wait("both are private", async |app| is_hidden(app, &name).await && is_hidden(app, &of_eve).await).await;
    scene.quiet().await;
    let (_, because) = privacy::turned(&scene.app, repository(&scene.app, &of_eve).await.id).await.unwrap().unwrap();
    assert_eq!(because.unwrap().id, other.id, "each page names the source of its own namespace");
    // What was known of one already counts for those that are found later.
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::set_facts(&tx, &other).await.unwrap();
    let id = repository(&scene.app, &of_eve).await.id;
    db::repositories::set_visibility(&tx, id, Visibility::Public, 1).await.unwrap();
    tx.commit().await.unwrap();
    let first = rows::Source { polled_at: None, ..db::sources::find(&scene.app.db, first.id).await.unwrap().unwrap() };
    crate::sources::polling::poll(&scene.app, &first).await.unwrap();
    assert_eq!(visibility(&scene.app, &of_eve).await, Visibility::Private);
}

#[tokio::test]
async fn sources_of_one_code_repository_that_hear_at_once_do_not_wait_for_each_other() {
    let scene = Scene::start(NEVER).await;
    let (_, _, name) = public(&scene).await;
    let first = scene.source("mona/web").await;
    let (other, of_eve) = another(&scene, &first).await;
    for _ in 0..20 {
        let tx = scene.app.db.begin().await.unwrap();
        for source in [&first, &other] {
            db::sources::set_facts(&tx, source).await.unwrap();
        }
        tx.commit().await.unwrap();
        let hear = async |id| {
            let tx = scene.app.db.begin().await?;
            privacy::note_private(&scene.app, &tx, id).await?;
            tx.commit().await
        };
        let (a, b) = tokio::join!(hear(first.id), hear(other.id));
        a.and(b).unwrap();
    }
    assert!(is_hidden(&scene.app, &name).await && is_hidden(&scene.app, &of_eve).await);
}

#[tokio::test]
async fn code_that_is_found_no_more_hides_nothing() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = public(&scene).await;
    code.delete();
    assert_eq!(scene.poll("mona/web").await.state, db::SourceState::Gone);
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Public);
}

#[tokio::test]
async fn a_choice_takes_the_sentence_away() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, name) = public(&scene).await;
    code.set_private(true);
    scene.wait("the image is private", async |app| is_hidden(app, &name).await).await;
    scene.quiet().await;
    choose(&scene, &mona, &name, Visibility::Public).await;
    // The code is as private as it was at the choice: looks do not take it back.
    code.commit("main", &[("a", "1")], "Still private");
    scene.poll("mona/web").await;
    scene.quiet().await;
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Public);
}

#[tokio::test]
async fn an_import_of_another_dockerfile_finds_that_code_is_private_too() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, name) = public(&scene).await;
    code.commit("main", &[("tools/Dockerfile", "FROM scratch\n")], "Another image");
    let listed = scene.listed(&mona, "mona/web").await;
    scene.quiet().await;
    code.set_private_quietly(true);
    let path = Some("tools/Dockerfile".to_owned());
    let (other, _) = crate::sources::import::import(&scene.app, &may_use(&mona), listed.id, path).await.unwrap();
    assert_ne!(other, name);
    assert!(is_hidden(&scene.app, &name).await);
}

#[tokio::test]
async fn a_signed_word_is_enough_while_the_forge_does_not_answer() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = public(&scene).await;
    scene.forge.fail_next_at("/api/v3/", 10_000, 503);
    code.set_private(true);
    scene.wait("the image is private", async |app| is_hidden(app, &name).await).await;
}
