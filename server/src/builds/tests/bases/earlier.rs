//! The list at the upgrade, from what earlier builds used.

use super::*;

crate::testing::on_postgres! {
    what_earlier_builds_used_is_listed_once,
    no_more_is_listed_than_people_may_list,
}

/// Asks for a list of what an earlier build used.
async fn used(scene: &Scene, build: &rows::Build, uris: impl IntoIterator<Item = String>) {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let material = |uri| rows::Material { id: Uuid::now_v7(), build_id: build.id, uri, digest: digest.clone() };
    let tx = scene.app.db.begin().await.unwrap();
    db::builds::insert_materials(&tx, uris.into_iter().map(material).collect()).await.unwrap();
    db::bases::ask_to_list(&tx, build.repository_id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_earlier_builds_used_is_listed_once() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let (own, other) = (scene.wired().namespace.clone(), scene.repositories[1].namespace.clone());
    for name in ["base", "tools/rust", "unused"] {
        scene.image(&own, name, Visibility::Private).await;
    }
    scene.image(&other, "base", Visibility::Private).await;
    let build = scene.queue(1).await;
    let uris = [
        "pkg:docker/localhost%3A8080/acme/base@main?platform=linux%2Famd64",
        "pkg:docker/localhost%3A8080/acme/base@1?platform=linux%2Famd64",
        "pkg:docker/localhost%3a8080/acme/tools/rust",
        "pkg:docker/localhost%3A8080/acme/web@main",
        "pkg:docker/localhost%3A8080/acme/none@main",
        "pkg:docker/localhost%3A8080/globex/base@main",
        "pkg:docker/localhost%3A8080/globex/unused@main",
        "pkg:docker/acme/unused@1",
        "git+http://forge/acme/unused",
    ];
    used(&scene, &build, uris.map(str::to_owned)).await;
    let names = async || -> Vec<String> {
        bases::list(&scene.app, build.repository_id).await.unwrap().into_iter().map(|base| base.name).collect()
    };
    bases::at_start(&scene.app).await.unwrap();
    assert_eq!(names().await, ["base", "tools/rust"]);
    // The next start lists nothing again: people have chosen since.
    bases::forbid(&scene.app, &scene.chooser(), &"acme/base".parse().unwrap()).await.unwrap();
    bases::at_start(&scene.app).await.unwrap();
    assert_eq!(names().await, ["tools/rust"]);
}

#[tokio::test]
async fn no_more_is_listed_than_people_may_list() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    for n in 0..103 {
        scene.image(&scene.wired().namespace, &format!("base{n}"), Visibility::Private).await;
    }
    used(&scene, &build, (0..103).map(|n| format!("pkg:docker/localhost%3A8080/acme/base{n}@main"))).await;
    bases::at_start(&scene.app).await.unwrap();
    assert_eq!(bases::list(&scene.app, build.repository_id).await.unwrap().len(), 100);
}
