//! Four clicks in Chromium, from the welcome page to a signed image, and a push seen on the open page.

use serde_json::{Value, json};
use slipway_forge::ForgeConfig;
use slipway_tests::{Stage, Visitor, browser};

/// Slow enough to be watched.
const BUILD: &str = "RUN for n in 1 2 3 4 5 6; do echo \"line $n of six\"; sleep 0.5; done\nCOPY note /note\n";

#[tokio::test]
async fn four_clicks_lead_to_a_signed_image_and_a_push_to_the_next() {
    let stage = Stage::signed_out(ForgeConfig::default(), |server| server).await;
    let repo = stage.repository("hello", "");
    let dockerfile = format!("{}{BUILD}", slipway_tests::BUSYBOX);
    repo.commit("main", &[("Dockerfile", &dockerfile), ("note", "one\n")], "Say hello");
    let tools = stage.forge.repository("mona", "tools", false);
    tools.commit("main", &[("web/Dockerfile", "FROM scratch\n"), ("Containerfile", "FROM scratch\n")], "Two");

    let pictures = tempfile::tempdir().expect("a temporary folder");
    let lines: Vec<_> = (1..=6).map(|n| format!("line {n} of six")).collect();
    let dockerfiles = json!({ "mona/hello": ["Dockerfile"], "mona/tools": ["Containerfile", "web/Dockerfile"] });
    let input = json!({
        "url": stage.server.url("/"),
        "repository": "mona/hello",
        "dockerfiles": dockerfiles,
        "lines": lines,
        "pictures": pictures.path(),
    });
    let push = async {
        stage.project("mona/hello").built(1).await;
        repo.commit("main", &[("note", "two\n")], "Change the last step");
    };
    let (seen, ()) = tokio::join!(browser("flow.mjs", &input), push);

    assert_eq!(seen["problems"], json!([]));
    assert_eq!(seen["violations"], json!([]), "{:#}", seen["violations"]);
    assert!(seen["clicks"].as_u64().is_some_and(|clicks| clicks <= 4), "{seen:#}");
    assert_eq!(seen["found"], dockerfiles);
    lines_came_live(&seen, &lines);
    assert!(text(&seen, "ready").contains("mona/hello:main is built, signed and ready"), "{seen:#}");
    assert!(text(&seen, "title").starts_with("Succeeded: build 1"), "{seen:#}");
    assert_eq!(text(&seen, "pull"), format!("docker pull {}/mona/hello:main", stage.server.host()));
    assert!(text(&seen, "told").contains("#2 Change the last step"), "{seen:#}");
    assert!(text(&seen, "facts").contains("Steps from cache"), "{seen:#}");
    assert!(Visitor::new(&stage.server).get("/new/import").await.status != 200, "the import page is for people only");
    let taken = std::fs::read_dir(pictures.path()).expect("the folder is ours").count();
    assert_eq!(taken, 10);
    if std::env::var_os("KEEP").is_some() {
        eprintln!("kept: {}", pictures.keep().display());
    }
}

fn text<'a>(seen: &'a Value, key: &str) -> &'a str {
    seen[key].as_str().unwrap_or_else(|| panic!("no {key} in {seen:#}"))
}

/// Each line once and in order, in several portions, on a page that was never loaded again.
fn lines_came_live(seen: &Value, expected: &[String]) {
    let lines: Vec<_> = seen["lines"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(lines, expected, "{seen:#}");
    assert_eq!(seen["during"], "running");
    assert_eq!(seen["stayed"], true);
    let portions = seen["arrivals"].as_array().expect("a list").len();
    assert!(portions >= 4, "all lines at once: {seen:#}");
}
