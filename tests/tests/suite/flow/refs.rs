//! Which tags branches and git tags move.

use slipway_tests::Stage;

const BUILD: &str = "COPY note* /srv/\n";

#[tokio::test]
async fn branches_and_versions_become_image_tags() {
    let stage = Stage::start().await;
    let repo = stage.repository("mapped", BUILD);
    let project = stage.import(&repo).await;
    let first = project.built(1).await;
    assert_eq!(first.tags(), ["main", "latest"]);
    let base = repo.head("main").expect("it has a commit");

    repo.set_branch("feature/x", &base);
    let branch = project.built(2).await;
    assert_eq!(branch.tags(), ["feature-x"]);
    branch.page.assert_says("feature/x");

    repo.tag("v1.2.3", &base);
    let version = project.built(3).await;
    assert_eq!(version.tags(), ["1.2.3", "1.2", "1"]);
    let digest = project.digest("1.2.3").await;
    assert!(digest.is_some());

    // A mend of an older line comes later.
    let later = repo.commit("main", &[("note", "older line")], "Mend the older line");
    project.built(4).await;
    repo.tag("v1.1.9", &later);
    let older = project.built(5).await;
    older.page.assert_says("tag `1` was not moved");
    assert_eq!(project.digest("1").await, digest);
    let older = project.digest("1.1.9").await;
    assert!(older.is_some() && older != digest && project.digest("1.1").await == older);
    assert_eq!(project.digest("1.2").await, digest);

    repo.delete_branch("feature/x");
    let forced = repo.change("main").on_top_of(Some(&base)).file("note", "another history").commit("Begin anew");
    let build = project.built(6).await;
    build.page.assert_says(&forced[..7]);
    assert_eq!(stage.mona.get(&project.path("tags/main")).await.ok().between("id=\"digest\">", "<").len(), 71);
    assert!(project.digest("feature-x").await.is_some(), "the image of a deleted branch stays");
    assert!(project.find(7).await.is_none(), "a deleted branch is not built");
}

#[tokio::test]
async fn a_branch_without_dockerfile_fails_and_names_those_there_are() {
    let stage = Stage::start().await;
    let repo = stage.repository("bare", BUILD);
    let project = stage.import(&repo).await;
    project.built(1).await;
    repo.commit("docs", &[("README.md", "no image here\n"), ("tools/Dockerfile", "FROM scratch\n")], "Write docs");
    let build = project.wait_for_build(2).await;
    assert_eq!(build.state, "failed");
    build.page.assert_says("tools/Dockerfile");
    build.page.assert_says("Choose another Dockerfile under Settings of mona/bare, or add it to the repository.");
    assert_eq!(project.digest("docs").await, None);
}
