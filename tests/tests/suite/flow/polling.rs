//! A forge that cannot reach the server by webhook is asked.

use slipway_forge::ForgeConfig;
use slipway_tests::Stage;

#[tokio::test]
async fn where_the_webhook_is_refused_pushes_are_found_by_asking_and_the_page_says_so() {
    let forge = ForgeConfig { refuse_local_hooks: true, ..ForgeConfig::default() };
    let stage = Stage::with(forge, |server| server.env("SLIPWAY_SOURCES_POLL_SECS", "1")).await;
    let repo = stage.repository("asked", "COPY note* /srv/\n");
    let project = stage.import(&repo).await;
    let first = project.built(1).await;
    assert!(repo.hooks().is_empty());
    first.page.assert_says("Slipway looks every 1 s, because the forge cannot reach it by webhook.");

    repo.commit("main", &[("note", "found")], "Be found");
    let second = project.built(2).await;
    second.page.assert_says("Be found");
    let page = stage.mona.get(&format!("/{}", project.name)).await.ok();
    let pushes = page.between("id=\"pushes\">", "</li>");
    assert!(pushes.contains("Asked every 1s for new pushes, because"), "{page}");

    let head = repo.head("main").expect("it has commits");
    repo.tags(&["one", "two", "three", "four"], &head);
    for number in 3..=6 {
        project.built(number).await;
    }
    for tag in ["one", "two", "three", "four"] {
        assert!(project.digest(tag).await.is_some(), "no image for {tag}");
    }
    repo.delete_tag("one");
    repo.delete_branch("main");
    assert!(project.digest("one").await.is_some() && project.digest("main").await.is_some(), "images stay");
}
