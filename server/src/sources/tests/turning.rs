//! Code that turns private while something else goes on: answers that are out of date by then.

use super::privacy::{another, is_hidden, public, visibility};
use super::*;
use crate::db::Visibility;
use crate::sources::{import, privacy};

crate::testing::on_postgres! {
    a_dockerfile_that_is_imported_while_its_code_turns_private_fills_a_private_image,
    an_answer_that_was_true_before_the_code_turned_private_publishes_nothing,
    what_another_namespace_hears_during_an_import_makes_its_image_private,
    a_namespace_that_never_hears_that_code_is_public_keeps_no_other_from_publishing_it,
    a_look_does_not_overwrite_what_was_heard_while_it_asked,
    a_signed_word_counts_in_other_namespaces_though_the_own_source_knew_it,
    what_an_import_hears_counts_though_it_fails,
}

const HELD_BACK: Duration = Duration::from_secs(3);
const TOOLS: &str = "tools/Dockerfile";

/// Public code with a second Dockerfile, its row of the person's list, and how its questions begin.
async fn two_dockerfiles(scene: &Scene) -> (Repo, Someone, rows::ForgeRepository, String) {
    let (code, mona, _) = public(scene).await;
    code.commit("main", &[(TOOLS, "FROM scratch\n")], "Another image");
    let listed = scene.listed(&mona, "mona/web").await;
    scene.quiet().await;
    let questions = format!("/api/v3/repositories/{}", code.id());
    (code, mona, listed, questions)
}

async fn import_tools(scene: &Scene, who: &Someone, listed: &rows::ForgeRepository) -> RepositoryName {
    let path = Some(TOOLS.to_owned());
    import::import(&scene.app, &may_use(who), listed.id, path).await.unwrap().0
}

/// Once the import has asked its last question and waits for the answer.
async fn last_answer_is_due(scene: &Scene, questions: &str) {
    let tags = format!("{questions}/tags");
    let before = scene.forge.requests(&tags);
    scene.forge.answer_late_at(&tags, 1, Duration::from_secs(1));
    scene.wait("tags are asked for", async |_| scene.forge.requests(&tags) > before).await;
    let before = scene.forge.requests(questions);
    scene.forge.answer_late_at(questions, 1, HELD_BACK);
    scene.wait("the last question is asked", async |_| scene.forge.requests(questions) > before).await;
}

async fn hear_private(scene: &Scene, source_id: Uuid) {
    let tx = scene.app.db.begin().await.unwrap();
    privacy::note_private(&scene.app, &tx, source_id).await.unwrap();
    tx.commit().await.unwrap();
}

async fn set_private(scene: &Scene, source: &rows::Source, is_private: bool) {
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::set_facts(&tx, &rows::Source { is_private, ..source.clone() }).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_dockerfile_that_is_imported_while_its_code_turns_private_fills_a_private_image() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, listed, questions) = two_dockerfiles(&scene).await;
    let branch = format!("{questions}/branches/main");
    let before = scene.forge.requests(&branch);
    scene.forge.answer_late_at(&branch, 1, HELD_BACK);
    let turning = async {
        scene.wait("the branch is asked for", async |_| scene.forge.requests(&branch) > before).await;
        code.set_private(true);
    };
    let (name, ()) = tokio::join!(import_tools(&scene, &mona, &listed), turning);
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Private);
}

#[tokio::test]
async fn an_answer_that_was_true_before_the_code_turned_private_publishes_nothing() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, listed, questions) = two_dockerfiles(&scene).await;
    let turning = async {
        last_answer_is_due(&scene, &questions).await;
        code.set_private(true);
    };
    let (name, ()) = tokio::join!(import_tools(&scene, &mona, &listed), turning);
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Private);
}

/// Eve may push to mona's public code, and imports it into her own namespace.
async fn collaborator(scene: &Scene) -> (Repo, Someone, rows::ForgeRepository) {
    let (code, ..) = public(scene).await;
    code.collaborator(&scene.forge.person("eve"), slipway_forge::Permission::Push);
    let eve = scene.someone("eve").await;
    let listed = scene.listed(&eve, "mona/web").await;
    scene.quiet().await;
    (code, eve, listed)
}

#[tokio::test]
async fn what_another_namespace_hears_during_an_import_makes_its_image_private() {
    let scene = Scene::start(NEVER).await;
    let (code, eve, listed) = collaborator(&scene).await;
    let first = scene.source("mona/web").await;
    let questions = format!("/api/v3/repositories/{}", code.id());
    let turning = async {
        last_answer_is_due(&scene, &questions).await;
        hear_private(&scene, first.id).await;
    };
    let eve = may_use(&eve);
    let (imported, ()) = tokio::join!(import::import(&scene.app, &eve, listed.id, None), turning);
    let (name, _) = imported.unwrap();
    assert_eq!(name.namespace.as_str(), "eve");
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Private);
    let private = db::sources::private_of_remote(&scene.app.db, &first.forge_url, &first.remote_id).await.unwrap();
    assert_eq!(private.len(), 2, "the new source knows it too");
}

#[tokio::test]
async fn a_namespace_that_never_hears_that_code_is_public_keeps_no_other_from_publishing_it() {
    let scene = Scene::start(NEVER).await;
    let (_, eve, listed) = collaborator(&scene).await;
    set_private(&scene, &scene.source("mona/web").await, true).await;
    let (name, _) = import::import(&scene.app, &may_use(&eve), listed.id, None).await.unwrap();
    assert_eq!(visibility(&scene.app, &name).await, Visibility::Public);
}

#[tokio::test]
async fn a_look_does_not_overwrite_what_was_heard_while_it_asked() {
    let scene = Scene::start(NEVER).await;
    public(&scene).await;
    let asked = scene.source("mona/web").await;
    let said =
        crate::sources::link(&scene.app, &asked).await.unwrap().forge.repository(&asked.remote_id).await.unwrap();
    let note = async |asked: &rows::Source| {
        let tx = scene.app.db.begin().await.unwrap();
        let is_current = privacy::note_facts(&scene.app, &tx, asked, said.clone()).await.unwrap();
        tx.commit().await.unwrap();
        (is_current, scene.source("mona/web").await.is_private)
    };
    hear_private(&scene, asked.id).await;
    assert_eq!(note(&asked).await, (false, true), "it turned private meanwhile");
    let asked = scene.source("mona/web").await;
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::note_delivery(&tx, asked.id, scene.app.clock.now() + 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(note(&asked).await, (false, true), "it was told once more meanwhile");
    let asked = scene.source("mona/web").await;
    assert_eq!(note(&asked).await, (true, false), "nothing was heard since");
}

#[tokio::test]
async fn a_signed_word_counts_in_other_namespaces_though_the_own_source_knew_it() {
    let scene = Scene::start(NEVER).await;
    let (code, ..) = public(&scene).await;
    let own = scene.source("mona/web").await;
    let (_, of_eve) = another(&scene, &own).await;
    // It never heard that the code was published again, and cannot ask.
    set_private(&scene, &own, true).await;
    scene.forge.fail_next_at("/api/v3/", 10_000, 503);
    code.set_private(true);
    scene.wait("the other image is private", async |app| is_hidden(app, &of_eve).await).await;
}

#[tokio::test]
async fn what_an_import_hears_counts_though_it_fails() {
    let scene = Scene::start(NEVER).await;
    let (code, mona, name) = public(&scene).await;
    let listed = scene.listed(&mona, "mona/web").await;
    code.set_private_quietly(true);
    let path = Some("../Dockerfile".to_owned());
    import::import(&scene.app, &may_use(&mona), listed.id, path).await.unwrap_err();
    assert!(is_hidden(&scene.app, &name).await);
}
