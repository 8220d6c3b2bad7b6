//! Webhooks: registering, signing, what is sent and what is not.

use aws_lc_rs::hmac;
use reqwest::Method;
use serde_json::json;

use crate::support::{Listener, Received, answer, git, world};

fn is_signed(received: &Received) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
    let expected = hex::encode(hmac::sign(&key, received.body.as_bytes()));
    received.headers["x-hub-signature-256"] == format!("sha256={expected}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_delivered_signed() {
    let (world, listener) = (world(), Listener::start());
    world.hook(&listener).await;
    let folder = tempfile::tempdir().unwrap();
    let before = world.repo.head("main").unwrap();
    let url = world.repo.clone_url_with(&world.token);
    assert!(git(folder.path(), &["clone", "--quiet", &url, "."]).0);
    std::fs::write(folder.path().join("new"), "text").unwrap();
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "-m", "Add a file"]);
    assert!(git(folder.path(), &["push", "--quiet", "origin", "main"]).0);
    let received = listener.next();
    assert!(is_signed(&received));
    assert!(received.headers["x-hub-signature"].starts_with("sha1="));
    assert_eq!(received.headers["x-github-event"], "push");
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(received.headers["x-github-delivery"].len(), 36);
    assert!(received.headers["user-agent"].starts_with("GitHub-Hookshot/"));
    let body = received.json();
    let head = world.repo.head("main").unwrap();
    assert_eq!(
        (&body["ref"], &body["before"], &body["after"]),
        (&json!("refs/heads/main"), &json!(before), &json!(head))
    );
    assert_eq!(body["commits"][0]["added"], json!(["new"]));
    assert_eq!(body["head_commit"]["message"], "Add a file");
    assert_eq!(body["repository"]["id"], world.repo.id());
    assert_eq!(body["repository"]["full_name"], "mona/hello");
    assert_eq!(body["pusher"]["name"], "mona");
    assert_eq!([&body["created"], &body["deleted"], &body["forced"]], [&json!(false); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_and_tags_come_and_go_with_two_events() {
    let (world, listener) = (world(), Listener::start());
    world.hook(&listener).await;
    let head = world.repo.head("main").unwrap();
    world.repo.set_branch("feature/one", &head);
    let mut both = [listener.next(), listener.next()];
    both.sort_by_key(|received| received.headers["x-github-event"].clone());
    assert_eq!(both[0].json()["ref"], "feature/one");
    let push = both[1].json();
    assert_eq!((&push["created"], &push["base_ref"]), (&json!(true), &json!("refs/heads/main")));
    assert_eq!(push["commits"], json!([]));
    world.repo.delete_branch("feature/one");
    let mut both = [listener.next(), listener.next()];
    both.sort_by_key(|received| received.headers["x-github-event"].clone());
    assert_eq!(both[0].headers["x-github-event"], "delete");
    let push = both[1].json();
    assert_eq!((&push["deleted"], &push["head_commit"]), (&json!(true), &json!(null)));
    world.repo.annotated_tag("v1", &head, "One");
    let mut both = [listener.next(), listener.next()];
    both.sort_by_key(|received| received.headers["x-github-event"].clone());
    assert_eq!(both[0].json()["ref_type"], "tag");
    let push = both[1].json();
    assert_eq!(push["head_commit"]["id"], json!(head));
    assert_ne!(push["after"], json!(head));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_force_push_says_so() {
    let (world, listener) = (world(), Listener::start());
    world.hook(&listener).await;
    world.repo.change("main").on_top_of(None).file("other", "x").commit("Begin again");
    assert_eq!(listener.next().json()["forced"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_tags_at_once_and_quiet_commits_are_not_told() {
    let (world, listener) = (world(), Listener::start());
    world.hook(&listener).await;
    let head = world.repo.head("main").unwrap();
    world.repo.tags(&["a", "b", "c", "d"], &head);
    world.repo.change("main").file("x", "y").quietly().commit("Lost");
    assert!(listener.is_silent());
    world.repo.tags(&["e", "f", "g"], &head);
    for _ in 0..6 {
        listener.next();
    }
    assert!(listener.is_silent());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_can_be_sent_again() {
    let (world, listener) = (world(), Listener::start());
    let hook = world.hook(&listener).await;
    world.repo.commit("main", &[("a", "b")], "Change");
    let first = listener.next();
    world.forge.deliveries_sent().await;
    let path = format!("/repos/mona/hello/hooks/{hook}/deliveries");
    let (_, list) = world.get(&path).await;
    assert_eq!(
        (&list[0]["event"], &list[0]["status"], &list[0]["status_code"]),
        (&json!("push"), &json!("OK"), &json!(202))
    );
    let one = format!("{path}/{}", list[0]["id"]);
    let (_, detail) = world.get(&one).await;
    assert_eq!(detail["request"]["payload"]["ref"], "refs/heads/main");
    assert_eq!(detail["response"]["payload"], "ok");
    let (status, _) = answer(world.call(Method::POST, &format!("{one}/attempts"))).await;
    assert_eq!(status, 202);
    let again = listener.next();
    assert_eq!(first.body, again.body);
    assert_eq!(first.headers["x-github-delivery"], again.headers["x-github-delivery"]);
    assert!(world.forge.deliveries_sent().await.last().unwrap().redelivery);
    assert_eq!(world.repo.hooks()[0].last_response.code, Some(202));
}

#[tokio::test(flavor = "multi_thread")]
async fn local_hooks_are_refused_when_asked_for() {
    let world = world();
    world.forge.refuse_local_hooks(true);
    for (url, refused) in [
        ("http://localhost:8080/hooks/1", true),
        ("http://127.0.0.1/hooks/1", true),
        ("http://[::1]/hooks/1", true),
        ("http://192.168.1.4/hooks/1", true),
        ("https://slipway.example/hooks/1", false),
    ] {
        let body = json!({ "config": { "url": url, "content_type": "json" }, "active": false });
        let (status, body) = answer(world.call(Method::POST, "/repos/mona/hello/hooks").json(&body)).await;
        assert_eq!(status == 422, refused, "{url}: {body}");
        if refused {
            let message = body["errors"][0]["message"].as_str().unwrap();
            assert!(message.starts_with("url is not supported because it isn't reachable over the public Internet"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_listed_changed_and_removed_by_those_who_may() {
    let (world, listener) = (world(), Listener::start());
    let hook = world.hook(&listener).await;
    let path = format!("/repos/mona/hello/hooks/{hook}");
    let (_, body) = world.get(&path).await;
    assert_eq!(body["config"]["secret"], "********");
    let change = json!({ "events": ["push"], "active": false });
    assert_eq!(answer(world.call(Method::PATCH, &path).json(&change)).await.1["active"], false);
    assert_eq!(world.repo.hooks()[0].secret.as_deref(), Some("s3cret"));
    let stranger = world.forge.token_for("octocat", &["repo", "admin:repo_hook"]);
    let unscoped = world.forge.token_for("mona", &["user"]);
    world.repo.set_private(false);
    for token in [stranger, unscoped] {
        let request = world.anonymous(Method::GET, "/repos/mona/hello/hooks").bearer_auth(token);
        assert_eq!(answer(request).await.0, 404);
    }
    assert_eq!(answer(world.call(Method::DELETE, &path)).await.0, 204);
    assert_eq!(world.get("/repos/mona/hello/hooks").await.1, json!([]));
}
