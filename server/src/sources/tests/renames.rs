//! Code repositories that are renamed or transferred at the forge.

use super::deliveries::deliver;
use super::pushes::hooked;
use super::*;

crate::testing::on_postgres! {
    a_push_tells_where_the_repository_is_now,
    a_delivery_that_lies_while_the_forge_is_away_names_no_other_code,
    a_delivery_of_before_a_rename_does_not_bring_the_old_name_back,
}

#[tokio::test]
async fn a_push_tells_where_the_repository_is_now() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let id = scene.source("mona/web").await.id;
    let is_at = async |full_name: &str, head: &str| {
        scene.build_of(&name, "refs/heads/main", head).await;
        scene.wait("the new name is known", async |app| source_of(app, full_name).await.is_some()).await;
        let source = scene.source(full_name).await;
        assert_eq!((source.id, source.clone_url), (id, code.clone_url()));
        assert!(source.html_url.ends_with(&format!("/{full_name}")), "{}", source.html_url);
    };
    code.rename("site");
    let head = code.commit("main", &[("a", "1")], "After the rename");
    is_at("mona/site", &head).await;
    scene.quiet().await;
    scene.forge.organization("acme", "mona");
    code.transfer("acme");
    let head = code.commit("main", &[("a", "1.1")], "After the transfer");
    is_at("acme/site", &head).await;
    scene.quiet().await;
    // While the forge's API is away, what is pushed is built from where it was, and the new name is known afterwards.
    code.rename("place");
    scene.forge.set_down(true);
    let head = code.commit("main", &[("a", "2")], "After the next rename");
    scene.build_of(&name, "refs/heads/main", &head).await;
    assert_eq!(scene.source("acme/site").await.id, id);
    scene.forge.set_down(false);
    let source = scene.source("acme/site").await;
    crate::sources::polling::poll(&scene.app, &source).await.unwrap();
    is_at("acme/place", &head).await;
}

#[tokio::test]
async fn a_delivery_that_lies_while_the_forge_is_away_names_no_other_code() {
    let scene = Scene::start(NEVER).await;
    let (code, ..) = hooked(&scene).await;
    scene.code("mona", "secret", true);
    let source = scene.source("mona/web").await;
    scene.forge.set_down(true);
    crate::sources::renames::note_told(&scene.app, &source, Some("mona/secret")).await.unwrap();
    let now = scene.source("mona/web").await;
    assert_eq!((now.id, now.clone_url), (source.id, code.clone_url()));
    scene.forge.set_down(false);
    crate::sources::renames::note_told(&scene.app, &source, Some("mona/secret")).await.unwrap();
    assert_eq!(scene.source("mona/web").await.clone_url, code.clone_url());
}

#[tokio::test]
async fn a_delivery_of_before_a_rename_does_not_bring_the_old_name_back() {
    let scene = Scene::start(NEVER).await;
    let (code, ..) = hooked(&scene).await;
    code.rename("site");
    let source = scene.source("mona/web").await;
    crate::sources::polling::poll(&scene.app, &source).await.unwrap();
    let source = scene.source("mona/site").await;
    let old = format!("{}/mona/web", scene.forge.url());
    for (full_name, url) in [("mona/web", old.as_str()), ("evil/web", "https://evil.example/web"), ("../x", &old)] {
        let body = serde_json::json!({
            "ref": "refs/heads/late", "before": "1".repeat(40), "after": "2".repeat(40),
            "head_commit": {"id": "2".repeat(40), "message": "Late"},
            "repository": {"id": code.id(), "full_name": full_name, "html_url": url, "clone_url": format!("{url}.git")},
        });
        assert_eq!(deliver(&scene, &source, "push", body.to_string().into_bytes(), None).await, 202);
        scene.quiet().await;
        let now = scene.source("mona/site").await;
        assert_eq!((now.full_name.as_str(), now.clone_url), ("mona/site", code.clone_url()), "{full_name}");
    }
}
