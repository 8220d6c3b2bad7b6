//! Deleting a repository while it builds, and importing it again.

use slipway_tests::{BUSYBOX, Stage};

#[tokio::test]
async fn a_deleted_repository_can_be_imported_again_at_once() {
    let stage = Stage::start().await;
    let repo = stage.repository("again", "RUN echo begun; sleep 600\n");
    let project = stage.import(&repo).await;
    project.wait_for_line(1, "begun").await;
    let answer = stage.mona.post(&project.path("settings/delete"), &[("name", project.name.as_str())]).await;
    assert_eq!(answer.location(), "/mona");
    stage.mona.get("/mona").await.ok().assert_says("No repositories yet");
    assert_eq!(stage.mona.get(&format!("/{}", project.name)).await.status, 404);

    repo.change("main").file("Dockerfile", format!("{BUSYBOX}CMD [\"echo\", \"again\"]\n")).commit("Begin again");
    let again = stage.import(&repo).await;
    assert_eq!(again.name, project.name);
    let build = again.built(1).await;
    build.page.assert_says("Begin again");
    build.page.assert_says("signature: verified");
    assert!(again.digest("main").await.is_some());
}
