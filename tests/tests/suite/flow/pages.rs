//! Pages without scripts, and pages that say what went wrong.

use slipway_tests::{Client, Run, Stage, Visitor, tool};

const BUILD: &str = "RUN echo first; printf '\\033[31mred\\033[0m\\n'; echo '<script>alert(1)</script>'\n";

#[tokio::test]
async fn a_build_page_works_without_scripts() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("plain", BUILD)).await;
    let page = project.built(1).await.page;
    let lines: Vec<_> = page.between_each("<div class=\"ln\" id=\"", "\"").into_iter().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{page}");
    for id in &lines {
        assert!(page.body.contains(&format!("href=\"?from={id}#{id}\"")), "{id} has no link to itself");
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
    for (option, sign) in [("?ts=1", " data-ts"), ("?wrap=0", " data-nowrap"), ("?plain=1", " data-plain")] {
        let with = stage.mona.get(&format!("{}{option}", project.path("builds/1"))).await.ok();
        assert!(with.between("id=\"log\"", ">").contains(sign), "{option}");
        let cookie = with.headers["set-cookie"].to_str().expect("it is ASCII").split(';').next().unwrap_or_default();
        let later = stage.mona.request(reqwest::Method::GET, &project.path("builds/1")).header("cookie", cookie);
        let later = later.send().await.expect("an answer").text().await.expect("it is text");
        let log = later.split_once("id=\"log\"").and_then(|(_, rest)| rest.split_once('>')).expect("a log").0;
        assert!(log.contains(sign), "{option} is not kept by {cookie}");
    }

    let search = async |query: &str| stage.mona.get(&format!("{}?q={query}", project.path("builds/1"))).await.ok();
    let found = search("RED").await;
    found.assert_says("1 line matches");
    let id = lines.iter().find(|id| id.ends_with("-L2")).expect("the second line");
    let hit = format!("{}?find=RED&from={id}#{id}\">2</a><span><mark>red</mark></span>", project.path("builds/1"));
    assert!(found.body.contains(&hit), "{hit} is not in {found}");
    search("%2F%5E%5Ba-z%5D%2B%24%2F").await.assert_says("2 lines match");
    let scripts = search("%3Cscript%3E").await;
    assert!(scripts.body.contains("<mark>&#60;script&#62;</mark>"), "{scripts}");
    search("nowhere").await.assert_says("No line matches");
    search("%2Fa(%2F").await.assert_says("This is no regular expression: unclosed group.");
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
    // Who signs in from here comes back here.
    let asked = Visitor::new(&stage.server).get("/settings/tokens").await;
    assert_eq!(asked.status, 401, "{asked}");
    assert!(
        asked.body.contains("Button--primary Button--medium no-underline\" href=\"/login?next=%2Fsettings%2Ftokens\""),
        "{asked}"
    );
    asked.assert_says("Sign in to do this.");

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

#[tokio::test]
async fn a_page_that_cannot_be_shown_leads_on_and_offers_no_second_sign_in() {
    let stage = Stage::start().await;
    let stranger = Visitor::new(&stage.server);
    for (path, words) in [
        ("/settings/tokens?page=abc", "Part of this address could not be understood."),
        ("/mona/hel%6co", "as a percent code"),
    ] {
        let page = stage.mona.get(path).await;
        assert_eq!(page.status, 400, "{page}");
        page.assert_says(words);
        page.assert_does_not_say("Back to the page");
        assert!(!page.body.contains("href=\"/login"), "{page}");
        assert!(page.body.contains("<a href=\"/\">Start page</a>"), "{page}");
    }
    let page = stranger.get("/mona/hel%6co").await;
    assert!(page.body.contains("href=\"/login"), "{page}");
}

#[tokio::test]
async fn an_image_whose_signature_was_deleted_is_not_called_signed() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("unsigned", "")).await;
    let build = project.built(1).await;
    build.page.assert_says("mona/unsigned:main is built, signed and ready");
    let digest = project.digest("main").await.expect("it was built");
    let crane = Client::crane();
    let token = stage.server.admin(&["token", "add", "--user", "mona", "--scopes", "read,write,admin"]).await;
    crane.log_in(&stage.server.host(), "mona", &token);
    let signature = crane.run(&["digest", &project.image(&format!("{}.sig", digest.replace(':', "-")))]).await.ok();
    crane.run(&["delete", &project.image(&format!("@{}", signature.text()))]).await.ok();
    let page = project.build(1).await.page;
    page.assert_says("mona/unsigned:main is built, but its signature is not right");
    page.assert_does_not_say("cosign verify");

    // A tag that was deleted is told from one that never was, to whoever may read.
    crane.run(&["delete", &project.image("main")]).await.ok();
    let gone = stage.mona.get(&project.path("tags/main")).await;
    assert_eq!(gone.status, 410, "{gone}");
    gone.assert_says("Tag `main` was deleted by mona on 20");
    assert!(
        gone.body.contains("<code>main</code> was deleted") && gone.body.contains("aria-label=\"Repository\""),
        "{gone}"
    );
    assert!(gone.body.contains("href=\"/mona/unsigned/-/tags\""), "{gone}");
    assert_eq!(stage.mona.get(&project.path("tags/never")).await.status, 404);
}

#[tokio::test]
async fn a_link_to_a_line_in_the_middle_of_a_long_step_shows_it() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("long", "RUN seq 1 12000\n")).await;
    let page = project.built(1).await.page;
    let link = page.between("<a class=\"more\" href=\"", "\"").to_owned();
    let (_, id) = link.split_once("?from=").expect("the gap leads to its first line");
    let (id, hash) = id.split_once('#').expect("the line is named twice");
    assert_eq!(id, hash);
    let step = id.split_once("-L").expect("a line").0.to_owned();
    for line in [201, 5_000, 7_999] {
        let id = format!("{step}-L{line}");
        let there = |page: &slipway_tests::Page| page.body.contains(&format!("<div class=\"ln\" id=\"{id}\">"));
        assert!(!there(&page), "line {line} is there anyway");
        let opened = stage.mona.get(&format!("{}?from={id}", project.path("builds/1"))).await.ok();
        assert!(there(&opened), "line {line}: {}", opened.between("id=\"log\"", "</main>"));
        assert!(opened.body.len() < page.body.len() * 2, "it is not the whole log");
    }
    for nonsense in ["x", "s-L", "s1-L99999999999", "s4000000000-L1", "%22%3E"] {
        stage.mona.get(&format!("{}?from={nonsense}", project.path("builds/1"))).await.ok();
    }
}
