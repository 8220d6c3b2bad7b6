//! Trouble on demand.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{answer, world};

#[tokio::test]
async fn the_next_answers_fail_and_then_all_is_well() {
    let world = world();
    for status in [401, 403, 404, 500] {
        world.forge.fail_next(2, status);
        assert_eq!(world.get("/user").await.0, status);
        assert_eq!(world.get("/user").await.0, status);
        assert_eq!(world.get("/user").await.0, 200);
    }
    assert_eq!(world.forge.requests("GET /api/v3/user"), 12);
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back() {
    let world = world();
    world.forge.fail_next(1, 429);
    let response = world.call(Method::GET, "/user").send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
    let response = world.call(Method::GET, "/user").send().await.unwrap();
    assert!(response.headers().contains_key("x-github-request-id"));
    assert_ne!(response.headers()["x-ratelimit-remaining"], "0");
}

#[tokio::test]
async fn silence_and_being_down() {
    let world = world();
    world.forge.hang_next(1, Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(world.get("/user").await.0, 504);
    assert!(start.elapsed() >= Duration::from_millis(300));
    world.forge.set_down(true);
    assert_eq!(world.get("/user").await.0, 503);
    assert_eq!(answer(world.http.get(world.forge.url())).await.0, 503);
    world.forge.heal();
    assert_eq!(world.get("/user").await.0, 200);
}

#[tokio::test]
async fn another_process_steers_by_control_calls() {
    let world = world();
    let control = |path: &str, body: serde_json::Value| {
        world.http.post(format!("{}/_control{path}", world.forge.url())).json(&body)
    };
    assert_eq!(answer(control("/faults", json!({ "count": 1, "status": 500 }))).await.0, 200);
    assert_eq!(world.get("/user").await.0, 500);
    let commit = json!({ "files": { "a": "b" }, "message": "By control" });
    let (status, body) = answer(control("/repositories/mona/hello/commits", commit)).await;
    assert_eq!((status, body["sha"].as_str()), (201, world.repo.head("main").as_deref()));
    assert_eq!(answer(control("/people/mona/revoke", json!({}))).await.1["revoked"], 1);
    assert_eq!(world.get("/user").await.0, 401);
}
