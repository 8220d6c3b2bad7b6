//! What an open page is told: the same that a page says which is loaded later.

use serde_json::json;
use slipway_tests::{LogStream, OpenPage, Stage, browser};

#[tokio::test]
async fn a_failure_stands_on_the_open_page_as_on_a_new_one() {
    let stage = Stage::start().await;
    let steps = "RUN echo ready && sleep 2 && echo 'error: no such crate' && exit 7\n";
    let name = stage.import(&stage.repository("failing", steps)).await.name;
    let project = stage.project(&name);
    project.wait_for_line(1, "ready").await;
    let mut stream = LogStream::open(&stage.mona, &project.path("builds/1/events"), "0-0").await;
    let mut told = String::new();
    while !told.contains("id=\"why\"") {
        told += &stream.next().await.unwrap_or_else(|| panic!("it ended after {told}")).html;
    }
    let page = project.wait_for_build(1).await.page;
    let step = page.between("first error in the log", "</a>");
    assert!(step.contains("line 2"), "{step}");
    page.assert_says("echo ready && sleep 2 && echo 'error: no such crate' && exit 7 exited with code 7");
    let link = "first error in the log, line 2</a>";
    assert!(page.body.contains(link) && told.contains(link), "{told}");
    let error = page.body.split("-error\">").find_map(|part| part.strip_prefix("<p class=\"notice")).expect("an error");
    let error = error.split_once("</p>").expect("it is whole").0;
    assert!(error.contains("exit code: 7"), "{error}");
    assert!(told.contains(error), "{error} is not in {told}");
}

#[tokio::test]
async fn a_page_that_was_away_shows_the_steps_that_began_meanwhile() {
    let stage = Stage::start().await;
    let steps = "RUN echo first && sleep 2\nRUN echo second\nRUN echo third\n";
    let name = stage.import(&stage.repository("away", steps)).await.name;
    let project = stage.project(&name);
    let mut page = OpenPage::of(&project.wait_for_line(1, "first").await.page);
    assert_eq!(page.lines, ["first"]);
    project.built(1).await;
    let mut stream = LogStream::open(&stage.mona, &project.path("builds/1/events"), &page.last).await;
    while page.lines.len() < 3 && page.missing.is_empty() {
        page.take(&stream.next().await.unwrap_or_else(|| panic!("it ended after {page:?}")));
    }
    assert_eq!((page.missing, page.lines), (Vec::new(), ["first", "second", "third"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn the_duration_goes_on_while_a_build_says_nothing() {
    let stage = Stage::start().await;
    let name = stage.import(&stage.repository("quiet", "RUN echo ready && sleep 20\n")).await.name;
    let project = stage.project(&name);
    let mut page = OpenPage::of(&project.wait_for_line(1, "ready").await.page);
    let mut stream = LogStream::open(&stage.mona, &project.path("builds/1/events"), &page.last).await;
    let told = loop {
        let message = stream.next().await.expect("the build goes on");
        page.take(&message);
        assert!(!message.html.contains("finished"), "{}", message.html);
        if let Some((_, told)) = message.html.split_once("hx-target=\"#run-dur\" hx-swap=\"innerHTML\">") {
            assert!(!message.html.contains("build-title"), "the focus on its button is lost: {}", message.html);
            break told.to_owned();
        }
    };
    let secs = told.split_once('s').expect("a duration").0.trim();
    assert!(secs.parse::<u32>().expect("seconds") >= 4, "{secs}");
    assert!(page.missing.is_empty(), "{:?}", page.missing);
    project.press(1, "cancel").await;
}

#[tokio::test]
async fn a_page_that_is_open_through_a_build_counts_its_tags() {
    let stage = Stage::start().await;
    let name = stage.import(&stage.repository("counted", "RUN echo ready && sleep 3\n")).await.name;
    let project = stage.project(&name);
    let page = project.wait_for_line(1, "ready").await.page;
    assert!(page.body.contains("id=\"count-tags\">0</span>"), "{page}");
    let head = page.body.split(" data-runs>").nth(2).expect("the build and its step show how long they run");
    assert!(head.starts_with(|c: char| c.is_ascii_digit()), "{head}");
    let list = stage.mona.get(&project.path("builds")).await.ok();
    let events = list.between("hx-sse:connect=\"", "\"").to_owned();
    let (mut of_list, mut of_build) = (
        LogStream::open(&stage.mona, &events, "").await,
        LogStream::open(&stage.mona, &project.path("builds/1/events"), &OpenPage::of(&page).last).await,
    );
    for (stream, what) in [(&mut of_build, "build"), (&mut of_list, "list")] {
        let mut told = String::new();
        while !told.contains("hx-target=\"#count-tags\" hx-swap=\"innerHTML\">2<") {
            told += &stream.next().await.unwrap_or_else(|| panic!("the {what} ended after {told}")).html;
        }
    }
    // A page that was drawn after the end is not drawn again.
    let page = project.built(1).await.page;
    let mut stream = LogStream::open(&stage.mona, &project.path("builds/1/events"), &OpenPage::of(&page).last).await;
    let first = stream.next().await.expect("the counters come").html;
    assert!(first.contains("#count-tags") && !first.contains("#result"), "{first}");
}

#[tokio::test]
async fn pages_that_are_open_through_a_build_show_what_it_made() {
    let stage = Stage::start().await;
    let name = stage.import(&stage.repository("watched", "RUN echo ready && sleep 8\n")).await.name;
    let project = stage.project(&name);
    project.wait_for_line(1, "ready").await;
    let url = |rest: &str| stage.server.url(&format!("/{name}{rest}"));
    let seen = browser("refresh.mjs", &json!({ "overview": url(""), "tags": url("/-/tags") })).await;
    assert_eq!((&seen["before"], &seen["after"]), (&json!(["0", "0", "0"]), &json!(["2", "2", "2"])), "{seen:#}");
    assert_eq!(seen["in_use"], "0", "it was replaced under somebody's hands: {seen:#}");
    assert_eq!((&seen["stayed"], &seen["problems"]), (&json!([true, true, true]), &json!([])), "{seen:#}");
}
