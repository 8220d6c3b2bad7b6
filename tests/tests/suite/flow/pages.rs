//! Pages without scripts, and pages that say what went wrong.

use slipway_tests::{Run, Stage, Visitor, tool};

const BUILD: &str = "RUN echo first; printf '\\033[31mred\\033[0m\\n'; echo '<script>alert(1)</script>'\n";

#[tokio::test]
async fn a_build_page_works_without_scripts() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("plain", BUILD)).await;
    let page = project.built(1).await.page;
    let lines: Vec<_> = page.between_each("<div class=\"ln\" id=\"", "\"").into_iter().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{page}");
    for id in &lines {
        assert!(page.body.contains(&format!("href=\"#{id}\"")), "{id} has no link to itself");
    }
    assert!(!page.body.contains("<script>alert"), "{page}");
    assert!(page.body.contains("&#60;script&#62;alert(1)"), "{page}");

    let path = project.path("builds/1/raw");
    let whole = stage.mona.get(&path).await.ok();
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    assert_eq!(whole.headers["content-type"], "text/plain; charset=utf-8");
    assert!(whole.body.contains("first\n") && whole.body.contains("<script>alert(1)</script>\n"), "{}", whole.body);
    for (range, from, to) in
        [("bytes=0-9", 0, 9), ("bytes=7-7", 7, 7), ("bytes=-5", whole.body.len() - 5, whole.body.len() - 1)]
    {
        let part = stage.mona.open(&path, &[("range", range)]).await;
        assert_eq!(part.status(), 206);
        let expected = format!("bytes {from}-{to}/{}", whole.body.len());
        assert_eq!(part.headers()["content-range"], expected.as_str());
        assert_eq!(part.text().await.expect("it is whole"), whole.body[from..=to]);
    }
    let beyond = stage.mona.open(&path, &[("range", "bytes=99999999-")]).await;
    assert_eq!(beyond.status(), 416);
    let plain = stage.mona.get(&format!("{path}?plain=1")).await.ok();
    assert!(plain.body.contains("red\n") && !plain.body.contains('\u{1b}'), "{}", plain.body);
    for (option, sign) in [("?ts=1", " data-ts"), ("?wrap=0", " data-nowrap")] {
        let with = stage.mona.get(&format!("{}{option}", project.path("builds/1"))).await.ok();
        assert!(with.between("id=\"log\"", ">").contains(sign), "{option}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_there_or_broken_has_a_way_on() {
    let stage = Stage::start().await;
    for path in ["/nobody", "/mona/nothing", "/mona/nothing/-/builds/1", "/mona/-/nothing", "/new/nothing"] {
        let page = stage.mona.get(path).await;
        assert_eq!(page.status, 404, "{page}");
        page.assert_says("Not found");
        assert!(page.body.contains("<a href=\"/\">Start page</a>"), "{page}");
    }
    let stranger = Visitor::new(&stage.server).get("/mona/nothing").await;
    assert_eq!(stranger.status, 404, "{stranger}");
    assert!(stranger.body.contains("href=\"/login"), "{stranger}");

    let database = stage.server.data_dir().join("slipway.db");
    let sqlite = async |sql: &str| {
        // The server writes too.
        let patient = ["-cmd".as_ref(), ".timeout 10000".as_ref(), database.as_os_str(), sql.as_ref()];
        Run::new(tool("sqlite3")).args(patient).output().await.ok();
    };
    sqlite("ALTER TABLE token RENAME TO token_away").await;
    let broken = stage.mona.get("/settings/tokens").await;
    assert_eq!(broken.status, 500, "{broken}");
    broken.assert_says("Something broke here");
    broken.assert_does_not_say("token_away");
    let request = broken.headers["x-request-id"].to_str().expect("it is ASCII").to_owned();
    broken.assert_says(&request);
    assert!(broken.body.contains("<a href=\"/\">Start page</a>"), "{broken}");
    assert!(stage.server.log().contains(&request), "the log does not know {request}");
    sqlite("ALTER TABLE token_away RENAME TO token").await;
    stage.mona.get("/settings/tokens").await.ok();
}
