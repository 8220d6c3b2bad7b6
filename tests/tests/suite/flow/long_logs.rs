//! Very long logs of builds that failed, in Chromium: the error is there at once, and each jump ends where it leads.

use serde_json::{Value, json};
use slipway_tests::{Stage, browser};

/// One error in the middle, which the step gets over, and one near the end.
fn steps(lines: u32) -> String {
    let (middle, late) = (lines / 2, lines - 9);
    format!(
        "RUN seq 1 {}; echo 'error: got over'; seq {} {}; echo 'error: this is why'; seq {} {lines}; exit 7\n",
        middle - 1,
        middle + 1,
        late - 1,
        late + 1
    )
}

async fn jumps(lines: u32) {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("long", &steps(lines))).await;
    let page = project.wait_for_build(1).await.page;
    let errors = [lines / 2, lines - 9];
    let opens_at = page.between("data-opens-at=\"", "\"").to_owned();
    let (step, line) = opens_at.split_once("-L").expect("a line of a step");
    assert_eq!(line, errors[1].to_string(), "{opens_at}");
    page.assert_says(&format!("error in the log, line {},{:03}", errors[1] / 1_000, errors[1] % 1_000));
    // 2 MiB is the most that a page has.
    assert!(page.body.len() < 2 << 20, "{} bytes", page.body.len());

    let input = json!({
        "url": stage.server.url(&project.path("builds/1")),
        "step": step.trim_start_matches('s'),
        "lines": lines,
        "errors": errors,
    });
    let seen = browser("long.mjs", &input).await;
    for screen in ["desk", "phone"] {
        let seen = &seen[screen];
        assert_eq!(seen["problems"], json!([]), "{screen}");
        assert_eq!(seen["link_stays"], json!(true), "the link to the error is replaced on a {screen}");
        let jumps = seen["seen"].as_array().expect("a list");
        assert_eq!(jumps.len(), 16);
        let wrong: Vec<&Value> = jumps.iter().filter(|jump| jump["shown"] != json!(true)).collect();
        assert!(wrong.is_empty(), "{screen}: {wrong:#?}");
        let read: Vec<i64> = seen["read"].as_array().expect("a list").iter().filter_map(Value::as_i64).collect();
        let turns = read.windows(2).map(|two| two[0] - two[1]);
        // 400 pixels are 20 lines; what is drawn meanwhile may be seen a turn later.
        assert!(turns.clone().all(|lines| (-1..=60).contains(&lines)), "{screen}: {read:?}");
        assert!(read[0] - read[read.len() - 1] > 800, "{screen} reads no further up: {read:?}");
    }
    let plain = &seen["plain"];
    assert!(plain["told"].as_str().is_some_and(|told| told.contains("error: this is why")), "{plain:#}");
    for place in ["error", "end", "permalink"] {
        assert_eq!(plain[place], json!(true), "{place}");
    }
}

#[tokio::test]
async fn each_jump_in_a_failed_build_of_thirty_thousand_lines_lands_on_its_line() {
    jumps(30_000).await;
}

#[tokio::test]
async fn each_jump_in_a_failed_build_of_fifty_thousand_lines_lands_on_its_line() {
    jumps(50_000).await;
}
