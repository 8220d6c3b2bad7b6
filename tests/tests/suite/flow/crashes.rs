//! SIGKILL of the server in a build.

use slipway_forge::ForgeConfig;
use slipway_tests::{BuilderProgram, LogStream, OpenPage, Stage};

fn printing(lines: u32) -> String {
    format!("RUN for n in $(seq 1 {lines}); do echo \"line $n.\"; sleep 0.1; done\n")
}

fn expected(lines: u32) -> Vec<String> {
    (1..=lines).map(|n| format!("line {n}.")).collect()
}

/// Lines of the raw log that the build printed, `#8 line 1.` each.
fn printed(raw: &str) -> Vec<String> {
    let texts = raw.lines().filter_map(|line| line.split_once(' ')).map(|(_, text)| text);
    texts.filter(|text| text.starts_with("line ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn with_the_embedded_builder_a_build_is_queued_again_and_says_so() {
    let mut stage = Stage::start().await;
    let repo = stage.repository("crashed", &printing(30));
    let name = stage.import(&repo).await.name;
    stage.project(&name).wait_for_line(1, "line 3.").await;
    stage.server.kill().await;
    stage.server.start_again().await;

    let project = stage.project(&name);
    let events = project.path("builds/1/events");
    // A page that was open comes back with the last id it saw.
    let mut stream = LogStream::open(&stage.mona, &events, "1-9").await;
    let mut told = String::new();
    while !told.contains("This is attempt 2.") {
        told = stream.next().await.unwrap_or_else(|| panic!("it ended after {told}")).html;
    }
    assert!(told.contains("hx-target=\"#steps\" hx-swap=\"innerHTML\""), "the old log stays: {told}");
    let why = "the server was restarted while the build ran; it is queued again";
    assert!(told.contains(&format!("Attempt 1 was lost: {why}. This is attempt 2.")), "{told}");
    while !told.contains("id=\"attempts-title\"") {
        told = stream.next().await.unwrap_or_else(|| panic!("it ended after {told}")).html;
    }
    assert!(told.contains(why) && told.contains("<b>Attempt 2</b>"), "{told}");
    let build = project.built(1).await;
    build.page.assert_says("attempt 2");
    let attempts = build.page.between("id=\"attempts-title\"", "</section>");
    assert!(attempts.contains("<b>Attempt 1</b> was lost after") && attempts.contains(why), "{attempts}");
    assert!(attempts.contains("<b>Attempt 2</b> succeeded after"), "{attempts}");
    assert_eq!(build.lines(), expected(30));
    assert_eq!(printed(&project.raw_log(1).await), expected(30));
    assert!(stage.server.log().contains("lost attempt 1"), "{}", stage.server.log());
}

#[tokio::test]
async fn with_a_builder_of_its_own_no_line_is_lost_or_doubled() {
    let token = "0123456789abcdef0123456789abcdef";
    let mut stage = Stage::with(ForgeConfig::default(), |server| {
        server.env("SLIPWAY_BUILDER_EMBEDDED", "false").env("SLIPWAY_BUILDER_TOKENS", token)
    })
    .await;
    let builder = BuilderProgram::start(&stage.server, token);
    let repo = stage.repository("survivor", &printing(50));
    let name = stage.import(&repo).await.name;
    let drawn = stage.project(&name).wait_for_line(1, "line 3.").await;

    let events = stage.project(&name).path("builds/1/events");
    let mut page = OpenPage::of(&drawn.page);
    let mut stream = LogStream::open(&stage.mona, &events, &page.last).await;
    while page.lines.len() < 8 {
        page.take(&stream.next().await.expect("the build goes on"));
    }
    stage.server.kill().await;
    while let Some(message) = stream.next().await {
        page.take(&message);
    }
    stage.server.start_again().await;
    let mut stream = LogStream::open(&stage.mona, &events, &page.last).await;
    while page.lines.len() < 50 {
        page.take(&stream.next().await.unwrap_or_else(|| panic!("it ended after {page:?}")));
    }
    assert_eq!(page.lines, expected(50));
    assert!(page.missing.is_empty(), "{:?}", page.missing);

    let project = stage.project(&name);
    let build = project.built(1).await;
    build.page.assert_does_not_say("attempt 2");
    assert_eq!(build.lines(), expected(50));
    assert_eq!(printed(&project.raw_log(1).await), expected(50));
    drop(builder);
}
