//! SIGTERM of the server in a build.

use slipway_tests::Stage;

const SLOW: &str = "RUN for n in $(seq 1 30); do echo \"line $n.\"; sleep 0.1; done\n";

#[tokio::test]
async fn a_build_is_handed_back_when_the_server_stops_and_goes_on_after_the_next_start() {
    let mut stage = Stage::start().await;
    let repo = stage.repository("stopped", SLOW);
    let name = stage.import(&repo).await.name;
    stage.project(&name).wait_for_line(1, "line 3.").await;
    assert_eq!(stage.server.terminate().await, 0, "{}", stage.server.log());
    let log = stage.server.log();
    assert!(log.contains("lost attempt 1") && log.contains("its builder was stopped"), "{log}");

    stage.server.start_again().await;
    let build = stage.project(&name).built(1).await;
    build.page.assert_says("attempt 2");
    assert!(build.lines().contains(&"line 30.".to_owned()), "{}", build.page);
}
