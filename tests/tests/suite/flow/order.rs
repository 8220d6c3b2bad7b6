//! A slow or repeated build never rolls a branch back.

use slipway_forge::ForgeConfig;
use slipway_tests::Stage;

/// Each commit says how long it takes.
const BUILD: &str = "COPY delay /delay\nRUN echo begun; sleep $(cat /delay)\n";

#[tokio::test]
async fn a_slow_build_and_a_re_run_of_it_leave_the_tag_to_the_newer_one() {
    let stage = Stage::start().await;
    let repo = stage.repository("overtaken", BUILD);
    repo.commit("main", &[("delay", "0")], "Be quick");
    let project = stage.import(&repo).await;
    project.built(1).await;

    repo.commit("main", &[("delay", "6")], "Be slow");
    project.wait_for_line(2, "begun").await;
    repo.commit("main", &[("delay", "0.1")], "Be quick again");
    project.built(3).await;
    let newest = project.digest("main").await.expect("build 3 moved it");
    assert_eq!(project.build(2).await.state, "running");
    let first = project.build(1).await.page;
    first.assert_says("`main` now points to another image.");
    first.assert_says("/mona/overtaken@sha256:");

    let slow = project.built(2).await;
    slow.page.assert_says("The tags were left alone: a newer build was first. #3 Be quick again");
    slow.page.assert_says("`main` points to a newer push already");
    assert_eq!(project.digest("main").await, Some(newest.clone()));

    assert_eq!(project.press(2, "rerun").await.location(), project.path("builds/4"));
    let repeated = project.built(4).await;
    repeated.page.assert_says("Re-run of #2");
    assert_eq!(project.digest("main").await, Some(newest.clone()));
    assert_eq!(project.digest("latest").await, Some(newest));

    // The newest of the branch may be repeated, and holds the tag after.
    project.press(3, "rerun").await;
    let again = project.built(5).await;
    assert!(again.page.text().contains("is built, signed and ready"), "{}", again.page);
}

#[tokio::test]
async fn a_commit_that_was_overtaken_in_the_queue_does_not_stay_pending_at_the_forge() {
    let stage = Stage::with(ForgeConfig::default(), |server| server.env("SLIPWAY_BUILDS_PER_NAMESPACE", "1")).await;
    let repo = stage.repository("hasty", BUILD);
    repo.commit("main", &[("delay", "0")], "Be quick");
    let project = stage.import(&repo).await;
    project.built(1).await;

    repo.commit("main", &[("delay", "8")], "Be slow");
    project.wait_for_line(2, "begun").await;
    let overtaken = repo.commit("main", &[("delay", "0.1")], "Wait");
    project.wait_until(3, "queued", |build| build.state == "queued").await;
    repo.commit("main", &[("delay", "0.2")], "Come last");
    project.wait_until(3, "skipped", |build| build.state == "skipped").await;
    project.built(4).await;
    let statuses = repo.statuses(&overtaken);
    let last = statuses.last().expect("it was told that it waits, or that it does not");
    assert_eq!(last.state, "error", "{statuses:?}");
    assert!(last.description.as_deref().unwrap_or_default().contains("newer"), "{statuses:?}");
}
