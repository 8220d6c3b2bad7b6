//! A private repository at the forge becomes a private image.

use slipway_tests::{Docker, Page, Stage, Visitor};

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
    let revoke = format!("/settings/tokens/{}/revoke", list.between("action=\"/settings/tokens/", "/revoke\""));
    let none: [(&str, &str); 0] = [];
    assert_eq!(stage.mona.post(&revoke, &none).await.location(), "/settings/tokens");
    assert_eq!(status_with(&stage, &bearer, &manifest).await, 401, "a bearer outlived its token");
    docker.run(&["pull", &image]).await.fails();
    docker.login(&stage.server.host(), "mona", &token).await.fails();
    stage.mona.get("/settings/tokens").await.ok().assert_says("No tokens yet");
}
