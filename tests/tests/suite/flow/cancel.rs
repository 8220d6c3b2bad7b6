//! Cancelling a build that runs.

use std::{fs, time::Duration};

use slipway_tests::Stage;
use tokio::time::{Instant, sleep};

/// Processes of this machine whose arguments hold `text`.
fn processes(text: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").expect("Linux has it").flatten();
    let lines = all.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(text)).collect()
}

#[tokio::test]
async fn a_cancelled_build_stops_at_once_and_leaves_no_process() {
    let stage = Stage::start().await;
    // A number that no other process has among its arguments.
    let secs = format!("{}.{}", 40_000 + u32::from(stage.server.port()), std::process::id());
    let repo = stage.repository("stopped", &format!("RUN echo begun; sleep {secs}\n"));
    let project = stage.import(&repo).await;
    let build = project.wait_for_line(1, "begun").await;
    build.page.assert_says("Cancel build");
    assert!(!processes(&secs).is_empty());

    let asked = Instant::now();
    project.press(1, "cancel").await;
    let build = project.wait_for_build(1).await;
    let took = asked.elapsed();
    assert_eq!(build.state, "cancelled", "{}", build.page);
    build.page.assert_says("Cancelled by mona after");
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    while !processes(&secs).is_empty() {
        assert!(asked.elapsed() < Duration::from_secs(8), "it still runs: {:?}", processes(&secs));
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(project.digest("main").await, None);
    // What was not made is not listed, and who was stopped did not fail.
    assert_eq!(build.tags(), ["none"]);
    let steps = build.page.between_each("class=\"step-state d-inline-flex\" data-state=\"", "\"");
    assert!(steps.contains(&"cancelled") && !steps.contains(&"failed"), "{steps:?}");
    project.press(1, "cancel").await;
    assert_eq!(project.build(1).await.state, "cancelled");
}
