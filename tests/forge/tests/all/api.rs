//! REST answers.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::json;
use slipway_forge::{Forge, ForgeConfig};

use crate::support::{answer, world};

#[tokio::test]
async fn a_private_repository_is_hidden_from_others() {
    let world = world();
    let (status, body) = world.get("/repos/Mona/HELLO").await;
    assert_eq!((status, &body["full_name"]), (200, &json!("mona/hello")));
    assert_eq!(body["permissions"]["admin"], true);
    assert_eq!(world.get(&format!("/repositories/{}", world.repo.id())).await.1["name"], "hello");
    let stranger = world.forge.token_for("octocat", &["repo"]);
    let unscoped = world.forge.token_for("mona", &["read:user"]);
    for token in [stranger, unscoped] {
        let request = world.anonymous(Method::GET, "/repos/mona/hello").bearer_auth(token);
        assert_eq!(
            answer(request).await,
            (
                404,
                json!({
                    "message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404",
                })
            )
        );
    }
    assert_eq!(answer(world.anonymous(Method::GET, "/user")).await.0, 401);
}

#[tokio::test]
async fn repositories_come_in_pages() {
    let world = world();
    for number in 0..4 {
        world.forge.repository("mona", &format!("more-{number}"), false);
    }
    let request = world.call(Method::GET, "/user/repos?per_page=2&sort=full_name");
    let response = request.send().await.unwrap();
    let link = response.headers()["link"].to_str().unwrap().to_owned();
    let next = format!("<{}/user/repos?per_page=2&sort=full_name&page=2>; rel=\"next\"", world.forge.api_url());
    assert!(link.starts_with(&next), "{link}");
    assert!(link.contains("page=3>; rel=\"last\""), "{link}");
    let (_, last) = world.get("/user/repos?per_page=2&page=3").await;
    assert_eq!(last.as_array().unwrap().len(), 1);
    assert_eq!(world.get("/user/repos?visibility=private").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn unchanged_branches_answer_304() {
    let world = world();
    let path = "/repos/mona/hello/branches";
    let etag = world.call(Method::GET, path).send().await.unwrap().headers()["etag"].clone();
    let again = || world.call(Method::GET, path).header("if-none-match", &etag).send();
    let unchanged = again().await.unwrap();
    assert_eq!(unchanged.status(), 304);
    assert_eq!(unchanged.headers()["etag"], etag);
    world.repo.commit("main", &[("a", "b")], "Change");
    assert_eq!(again().await.unwrap().status(), 200);
}

#[tokio::test]
async fn branches_tags_and_refs_are_told_apart() {
    let world = world();
    let head = world.repo.head("main").unwrap();
    world.repo.set_branch("feature/one", &head);
    world.repo.annotated_tag("v1.0", &head, "One");
    let (_, branch) = world.get("/repos/mona/hello/branches/feature%2Fone").await;
    assert_eq!(branch["commit"]["sha"], json!(head));
    assert_eq!(world.get("/repos/mona/hello/branches/feature/one").await.1, branch);
    assert_eq!(world.get("/repos/mona/hello/branches/none").await.0, 404);
    assert_eq!(world.get("/repos/mona/hello/tags").await.1[0]["commit"]["sha"], json!(head));
    let (_, refs) = world.get("/repos/mona/hello/git/matching-refs/heads").await;
    assert_eq!((&refs[0]["ref"], &refs[1]["ref"]), (&json!("refs/heads/feature/one"), &json!("refs/heads/main")));
    assert_eq!(world.get("/repos/mona/hello/git/ref/tags/v1.0").await.1["object"]["type"], "tag");
    for name in ["main", "feature/one", "v1.0", &head, &head[..8], "heads/main"] {
        assert_eq!(world.get(&format!("/repos/mona/hello/commits/{name}")).await.1["sha"], json!(head), "{name}");
    }
    assert_eq!(world.get("/repos/mona/hello/commits/none").await.0, 422);
}

#[tokio::test]
async fn files_are_found_by_contents_and_tree() {
    let world = world();
    let (_, file) = world.get("/repos/mona/hello/contents/Dockerfile").await;
    let text = file["content"].as_str().unwrap().replace('\n', "");
    assert_eq!(BASE64_STANDARD.decode(text).unwrap(), b"FROM scratch\n");
    let (_, folder) = world.get("/repos/mona/hello/contents/app?ref=main").await;
    assert_eq!(folder[0]["path"], "app/main.c");
    assert_eq!(world.get("/repos/mona/hello/contents/none").await.0, 404);
    let (_, tree) = world.get("/repos/mona/hello/git/trees/main?recursive=1").await;
    let paths: Vec<_> = tree["tree"].as_array().unwrap().iter().map(|entry| entry["path"].clone()).collect();
    assert_eq!(paths, ["Dockerfile", "app", "app/main.c"]);
    assert_eq!(tree["truncated"], false);
    let raw = world.call(Method::GET, "/repos/mona/hello/contents/Dockerfile");
    let raw = raw.header("accept", "application/vnd.github.raw+json").send().await.unwrap();
    assert_eq!(raw.text().await.unwrap(), "FROM scratch\n");
}

#[tokio::test]
async fn statuses_add_up() {
    let world = world();
    let head = world.repo.head("main").unwrap();
    let path = format!("/repos/mona/hello/statuses/{head}");
    for (context, state) in [("a", "pending"), ("b", "success"), ("a", "success")] {
        let body = json!({ "state": state, "context": context, "target_url": "http://localhost/1" });
        let (status, made) = answer(world.call(Method::POST, &path).json(&body)).await;
        assert_eq!((status, &made["state"], &made["creator"]["login"]), (201, &json!(state), &json!("mona")));
    }
    let (_, sum) = world.get("/repos/mona/hello/commits/main/status").await;
    assert_eq!((&sum["state"], &sum["total_count"]), (&json!("success"), &json!(2)));
    assert_eq!(world.get(&format!("/repos/mona/hello/commits/{head}/statuses")).await.1.as_array().unwrap().len(), 3);
    assert_eq!(world.repo.statuses(&head).len(), 3);
    let bad = json!({ "state": "done" });
    assert_eq!(answer(world.call(Method::POST, &path).json(&bad)).await.0, 422);
    let page = world.http.get(format!("{}/mona/hello", world.forge.url())).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("http://localhost/1"), "{page}");
}

#[tokio::test]
async fn an_organisation_may_keep_the_app_out() {
    let world = world();
    world.forge.organization("acme", "mona");
    world.forge.repository("acme", "web", true).commit("main", &[("a", "b")], "Start");
    assert_eq!(world.get("/user/memberships/orgs").await.1[0]["role"], "admin");
    assert_eq!(world.get("/repos/acme/web").await.0, 200);
    world.forge.restrict_apps("acme", true);
    let (status, body) = world.get("/repos/acme/web").await;
    assert_eq!(status, 403);
    assert!(body["message"].as_str().unwrap().contains("has enabled OAuth App access restrictions"));
    assert_eq!(world.get("/user/orgs").await.1, json!([]));
    assert_eq!(world.get("/user/repos").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_renamed_repository_redirects_to_its_id() {
    let world = world();
    world.repo.rename("greeting");
    let response = world.call(Method::GET, "/repos/mona/hello/branches?per_page=1").send().await.unwrap();
    assert_eq!(response.status(), 301);
    let location = response.headers()["location"].to_str().unwrap();
    assert_eq!(location, format!("{}/repositories/{}/branches?per_page=1", world.forge.api_url(), world.repo.id()));
    let followed = world.http.get(location).bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(followed.status(), 200);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = || ForgeConfig { data: Some(folder.path().to_owned()), ..ForgeConfig::default() };
    let forge = Forge::start(config());
    forge.person("mona");
    let sha = forge.repository("mona", "hello", false).commit("main", &[("a", "b")], "Start");
    let token = forge.token_for("mona", &["repo"]);
    drop(forge);
    let forge = Forge::start(config());
    assert_eq!(forge.find_repository("mona", "hello").unwrap().head("main"), Some(sha));
    let request = reqwest::Client::new().get(format!("{}/user", forge.api_url())).bearer_auth(token);
    assert_eq!(answer(request).await.1["login"], "mona");
}
