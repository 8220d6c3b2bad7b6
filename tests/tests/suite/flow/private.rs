//! A private repository at the forge becomes a private image.

use slipway_tests::{Docker, LogStream, Page, Stage, Visitor};

/// An address, a message and an author that only mona's own should read.
#[tokio::test]
async fn a_public_image_does_not_tell_of_its_private_code() {
    let stage = Stage::start().await;
    let repo = stage.private_repository("hidden-code", "RUN echo printed; sleep 1; exit 3\n");
    let project = stage.import(&repo).await;
    assert_eq!(project.wait_for_build(1).await.state, "failed");
    let change = repo.change("main").author("Secret Author", "author@example.org");
    let good = format!("{}RUN echo printed\n", slipway_tests::BUSYBOX);
    let commit = change.file("Dockerfile", good).commit("Unannounced feature");
    project.built(2).await;
    let change = [("visibility", "public")];
    let settings = format!("/{}/-/settings/visibility", project.name);
    assert_eq!(stage.mona.post(&settings, &change).await.status, 303);

    let forge = stage.forge.url();
    let secrets = [repo.clone_url(), format!("{forge}/mona/hidden-code"), commit.clone(), commit[..12].to_owned()];
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain(["Unannounced", "Secret Author"]).collect();
    let pages = [
        "",
        "/-/builds",
        "/-/builds/1",
        "/-/builds/2",
        "/-/builds/1/raw",
        "/-/builds/2/raw",
        "/-/builds/2/raw?plain=1",
        "/-/tags",
        "/-/tags/main",
    ];
    let stranger = Visitor::new(&stage.server);
    let mut told = String::new();
    // Also not by what a search finds.
    for (text, is_told) in [("unannounced", false), (&commit[..8], false), (&commit[..7], true), ("main", true)] {
        let list = project.path(&format!("builds?q={text}"));
        for (visitor, finds) in [(&stranger, is_told), (&stage.mona, true)] {
            let found = visitor.get(&list).await.ok().body.contains(&project.path("builds/2"));
            assert_eq!(found, finds, "{text}");
        }
    }
    for page in pages {
        let path = format!("/{}{page}", project.name);
        let shown = stranger.get(&path).await.ok();
        for secret in &secrets {
            shown.assert_does_not_say(secret);
        }
        told += &stage.mona.get(&path).await.ok().body;
    }
    let stream = async |visitor: &Visitor| {
        let mut stream = LogStream::open(visitor, &project.path("builds/1/events"), "0-0").await;
        let mut told = String::new();
        while !told.contains("id=\"why\"") {
            told += &stream.next().await.unwrap_or_else(|| panic!("it ended after {told}")).html;
        }
        told
    };
    let seen = stream(&stranger).await;
    assert!(secrets.iter().all(|secret| !seen.contains(secret)), "{seen}");
    assert!(seen.contains("printed") && seen.contains("Private source"), "{seen}");
    stranger.get(&format!("/{}", project.name)).await.ok().assert_says("Private source");
    let short = &commit[..7];
    stranger.get(&project.path("builds/2")).await.ok().assert_says(short);
    let raw = stranger.get(&project.path("builds/2/raw")).await.ok();
    let own = stage.mona.get(&project.path("builds/2/raw")).await.ok();
    assert_eq!(raw.body.len(), own.body.len(), "{}", raw.body);
    assert!(raw.body.contains("[source] ***"), "{}", raw.body);

    told += &stream(&stage.mona).await;
    for secret in &secrets {
        assert!(*secret == commit.as_str() || told.contains(secret), "nobody reads {secret}");
    }
}

#[tokio::test]
async fn admins_are_told_that_code_which_is_gone_may_be_private_now() {
    let stage = Stage::with(slipway_forge::ForgeConfig::default(), |server| {
        server.env("SLIPWAY_SOURCES_POLL_SECS", "1").env("SLIPWAY_BUILDER_EMBEDDED", "false")
    })
    .await;
    stage.forge.refuse_local_hooks(true);
    let repo = stage.repository("gone", "");
    let project = stage.import(&repo).await;
    repo.delete();
    let path = format!("/{}", project.name);
    let question = "if the code was not deleted but made private";
    let started = std::time::Instant::now();
    while !stage.mona.get(&path).await.ok().text().contains(question) {
        assert!(started.elapsed() < std::time::Duration::from_mins(1), "nobody was told");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    // Others read no more than before.
    Visitor::new(&stage.server).get(&path).await.ok().assert_does_not_say(question);
    let settings = format!("/{}/-/settings/visibility", project.name);
    assert_eq!(stage.mona.post(&settings, &[("visibility", "private")]).await.status, 303);
    stage.mona.get(&path).await.ok().assert_does_not_say(question);
}

/// The token that the page shows this once.
async fn make_token(stage: &Stage) -> String {
    let form = [("name", "laptop"), ("expires", "30"), ("scope", "read")];
    let page = stage.mona.post("/settings/tokens", &form).await.ok();
    page.assert_says("Copy it now: it is not shown again.");
    page.command("slp_")
}

/// A bearer for pulling, as docker asks for it.
async fn bearer(stage: &Stage, token: &str, repository: &str) -> String {
    let path = format!("/token?service=localhost&scope=repository:{repository}:pull");
    let request = Visitor::new(&stage.server).request(reqwest::Method::GET, &path).basic_auth("mona", Some(token));
    let answer: serde_json::Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
}

async fn status_with(stage: &Stage, bearer: &str, path: &str) -> u16 {
    let request = Visitor::new(&stage.server).request(reqwest::Method::GET, path).bearer_auth(bearer);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_private_image_needs_a_token_and_stops_when_it_is_revoked() {
    let stage = Stage::start().await;
    let repo = stage.private_repository("secret", "CMD [\"echo\", \"for mona only\"]\n");
    let project = stage.import(&repo).await;
    let page: Page = project.built(1).await.page;
    page.assert_says("The repository is private: log in first");
    assert_eq!(page.command("docker login"), format!("docker login {} -u mona", stage.server.host()));

    let image = project.image("main");
    let manifest = format!("/v2/{}/manifests/main", project.name);
    let anyone = Visitor::new(&stage.server);
    let refused = anyone.get(&manifest).await;
    assert_eq!(refused.status, 401, "{refused}");
    assert!(refused.headers.contains_key("www-authenticate"), "{refused}");
    for path in [format!("/{}", project.name), project.path("builds/1"), project.path("builds/1/raw")] {
        let hidden = anyone.get(&path).await;
        assert!([303, 401, 404].contains(&hidden.status), "{hidden}");
        assert!(!hidden.body.contains("for mona only"), "{hidden}");
    }
    let docker = Docker::start().await;
    docker.run(&["pull", &image]).await.fails();

    let token = make_token(&stage).await;
    docker.login(&stage.server.host(), "mona", &token).await.ok();
    docker.run(&["pull", &image]).await.ok();
    let run = docker.run(&["run", "--rm", "--net=none", &image]).await.ok();
    assert_eq!(run.text(), "for mona only");
    let bearer = bearer(&stage, &token, &project.name).await;
    assert_eq!(status_with(&stage, &bearer, &manifest).await, 200);

    let list = stage.mona.get("/settings/tokens").await.ok();
    let revoke = format!(
        "/settings/tokens/{}/revoke",
        list.between("Button--danger Button--medium no-underline\" href=\"/settings/tokens/", "/revoke\"")
    );
    let asked = stage.mona.get(&revoke).await.ok();
    asked.assert_says("stops with its next request");
    assert_eq!(status_with(&stage, &bearer, &manifest).await, 200, "to look at the question revoked it");
    let none: [(&str, &str); 0] = [];
    assert_eq!(stage.mona.post(&revoke, &none).await.location(), "/settings/tokens");
    assert_eq!(status_with(&stage, &bearer, &manifest).await, 401, "a bearer outlived its token");
    docker.run(&["pull", &image]).await.fails();
    docker.login(&stage.server.host(), "mona", &token).await.fails();
    stage.mona.get("/settings/tokens").await.ok().assert_says("No tokens yet");
}
