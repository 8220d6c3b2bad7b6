//! Deliveries that nobody at the forge has signed, and signed ones with nonsense in them.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{
    browser::Page,
    hook::{Delivery, push_payload, sign},
    site::{Connected, Site, until},
};

const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

async fn source(site: &Site, login: &str) -> Connected {
    let browser = site.signed_in(login).await;
    site.connected(&browser, login, "web", false).await
}

async fn builds(site: &Site, to: &Connected) -> u64 {
    site.count(&format!("build b JOIN source s ON s.id = b.source_id WHERE s.remote_id = '{}'", to.repo.id())).await
}

/// How a delivery of this body came out, once it was read.
async fn outcome(site: &Site, to: &Connected, part: &str) -> String {
    let id = to.source_id.replace('-', "");
    let ask = format!(
        "SELECT outcome FROM hook_delivery WHERE source_id = x'{id}' AND instr(CAST(body AS TEXT), '{part}') \
         ORDER BY received_at DESC LIMIT 1"
    );
    until("the delivery is read", async || {
        let found = site.sql(&ask).await;
        (!found.is_empty() && found != "waiting").then_some(found)
    })
    .await
}

/// What is the same for all who are refused: everything but the request's number.
fn refusal(page: &Page) -> (u16, serde_json::Value) {
    let mut body: serde_json::Value = serde_json::from_str(&page.text).expect("a problem document");
    body["request_id"].take();
    (page.status.as_u16(), body)
}

#[tokio::test]
async fn a_delivery_that_is_not_signed_for_this_source_is_refused_alike() {
    let site = Site::shared().await;
    let (mine, other) = (source(site, "hook-mine").await, source(site, "hook-other").await);
    let right = Delivery::push(&mine, "refs/heads/x", COMMIT);
    let signature = right.signature.clone().expect("it is signed");
    let unknown = Delivery { path: "/hooks/github/01890000-0000-7000-8000-000000000000".to_owned(), ..right.clone() };
    let expected = refusal(&unknown.send(site).await);
    assert_eq!(expected.0, 401, "{expected:?}");
    let upper = signature.to_uppercase().replacen("SHA256", "sha256", 1);
    for wrong in [
        None,
        Some(""),
        Some("sha256="),
        Some("sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        Some(signature.trim_start_matches("sha256=")),
        Some(upper.as_str()),
        Some(sign(&other.secret, &right.body).as_str()),
        Some(sign("", &right.body).as_str()),
        Some(sign(&mine.secret, b"{}").as_str()),
    ] {
        let answer = right.clone().signed(wrong).send(site).await;
        assert_eq!(refusal(&answer), expected, "{wrong:?}");
    }
    for path in ["/hooks/github/nonsense", "/hooks/github/a%2fsettings", "/hooks/github/%00"] {
        let elsewhere = Delivery { path: path.to_owned(), ..right.clone() };
        assert_eq!(refusal(&elsewhere.send(site).await), expected, "{path}");
    }
    assert_eq!(builds(site, &mine).await, 1, "only the import's own");
}

#[tokio::test]
async fn a_signature_that_comes_twice_is_none() {
    let site = Site::shared().await;
    let mine = source(site, "hook-twice").await;
    let right = Delivery::push(&mine, "refs/heads/x", COMMIT);
    let browser = site.browser();
    let request = browser
        .request(reqwest::Method::POST, &right.path)
        .header("x-github-event", "push")
        .header("x-hub-signature-256", "sha256=00")
        .header("x-hub-signature-256", right.signature.clone().expect("it is signed"));
    browser.send(request.body(right.body)).await.is(401);
}

#[tokio::test]
async fn guessing_signatures_is_slowed_down() {
    let site = Site::shared().await;
    let mine = source(site, "hook-guess").await;
    let attacker = site.browser();
    let mut last = 0;
    for _ in 0..80 {
        let guess = Delivery::push(&mine, "refs/heads/x", COMMIT).signed(Some("sha256=00"));
        last = guess.send_by(&attacker).await.status.as_u16();
    }
    assert_eq!(last, 429);
    Delivery::push(&mine, "refs/heads/x", COMMIT).send(site).await.is(202);
}

#[tokio::test]
async fn a_replayed_delivery_builds_once() {
    let site = Site::shared().await;
    let mine = source(site, "hook-replay").await;
    let commit = mine.repo.change("side").file("Dockerfile", "FROM scratch\n").quietly().commit("Side");
    let delivery = Delivery::push(&mine, "refs/heads/side", &commit);
    for _ in 0..3 {
        delivery.clone().send(site).await.is(202);
    }
    assert_eq!(outcome(site, &mine, "refs/heads/side").await, "build 2");
    sleep(Duration::from_millis(500)).await;
    assert_eq!(builds(site, &mine).await, 2);
}

#[tokio::test]
async fn a_body_of_thirty_mebibytes_is_refused_with_little_memory() {
    let site = Site::shared().await;
    let mine = source(site, "hook-large").await;
    let large = Delivery::of(&mine, vec![b' '; 30 << 20]);
    let before = site.server.rss_bytes();
    large.clone().send(site).await.is(413);
    // Of unknown length, it is cut off on the way: the sender may not live to read the answer.
    let browser = site.browser();
    let pieces = (0..120).map(|_| Ok::<_, std::io::Error>(vec![b' '; 256 << 10]));
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = browser.request(reqwest::Method::POST, &large.path);
    let request = request.header("x-hub-signature-256", large.signature.expect("it is signed")).body(stream);
    if let Ok(answer) = request.send().await {
        assert_eq!(answer.status().as_u16(), 413);
    }
    let grown = site.server.rss_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "it grew by {} MiB", grown >> 20);
    site.browser().get("/healthz").await.is(200);
}

#[tokio::test]
async fn what_is_not_json_is_told_only_to_whoever_signed_it() {
    let site = Site::shared().await;
    let mine = source(site, "hook-json").await;
    for body in ["", "not json", "{\"ref\":", "\u{0}", "payload=%7B%7D"] {
        let delivery = Delivery::of(&mine, body);
        delivery.clone().signed(Some("sha256=00")).send(site).await.is(401);
        delivery.send(site).await.is(400).says("application/json");
    }
    // A webhook that was made by hand sends forms.
    for (body, status) in [
        ("payload=%7B%22zen%22%3A1%7D", 202),
        ("payload=nonsense", 400),
        ("payload=", 400),
        ("other=%7B%7D", 400),
        ("{\"zen\":", 400),
        // A relay kept the body and lost its type.
        ("{\"zen\":1}", 202),
    ] {
        let content_type = "application/x-www-form-urlencoded".to_owned();
        let form = Delivery { content_type, ..Delivery::of(&mine, body) };
        form.clone().signed(Some("sha256=00")).send(site).await.is(401);
        let answer = form.send(site).await.is(status);
        if status == 400 {
            answer.says("`payload`").says("application/json");
        }
    }
    for body in ["null", "[]", "7", "\"text\"", "{}", "{\"ref\":null}"] {
        Delivery::of(&mine, body).send(site).await.is(202);
    }
    let deep = Delivery::of(&mine, "[".repeat(200_000));
    deep.send(site).await.is(400);
    assert_eq!(builds(site, &mine).await, 1);
}

#[tokio::test]
async fn events_that_are_not_needed_are_taken_and_do_nothing() {
    let site = Site::shared().await;
    let mine = source(site, "hook-events").await;
    for (event, word) in [("ping", "pong"), ("issues", "not needed"), ("", "not needed"), ("push\u{ff}", "not needed")]
    {
        let delivery = Delivery { event: event.to_owned(), ..Delivery::of(&mine, json!({"zen": 1}).to_string()) };
        delivery.send(site).await.is(202).says(word);
    }
    assert_eq!(builds(site, &mine).await, 1);
    for method in ["GET", "PUT", "DELETE", "BREW"] {
        let browser = site.browser();
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = browser.request(method, &format!("/hooks/github/{}", mine.source_id));
        browser.send(request).await.is(405);
    }
}

#[tokio::test]
async fn refs_that_git_forbids_build_nothing() {
    let site = Site::shared().await;
    let mine = source(site, "hook-refs").await;
    for (number, name) in [
        "refs/heads/--upload-pack=touch /tmp/x",
        "refs/heads/-h",
        "refs/heads/../../etc/passwd",
        "refs/heads/a\nb",
        "refs/heads/a b",
        "refs/heads/",
        "refs/pull/1/head",
        "--upload-pack=x",
        "",
        "refs/heads/a\u{0}b",
        "refs/heads/@{upstream}",
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = push_payload(mine.repo.id(), name, COMMIT);
        let mark = format!("bad-ref-{number}-");
        body["mark"] = mark.clone().into();
        Delivery::of(&mine, body.to_string()).send(site).await.is(202);
        let said = outcome(site, &mine, &mark).await;
        assert!(said.contains("not a branch or tag that git allows"), "{name:?}: {said}");
    }
    assert_eq!(builds(site, &mine).await, 1);
}

#[tokio::test]
async fn refs_with_odd_letters_build_and_become_legal_tags() {
    let site = Site::shared().await;
    let mine = source(site, "hook-odd").await;
    for (number, branch) in
        ["a,b=c", "it's\"quoted\"", "<script>alert(1)</script>", "$(reboot)", "ü-\u{202e}evil", "a;b|c&d"]
            .into_iter()
            .enumerate()
    {
        let commit = mine.repo.change(branch).file("Dockerfile", "FROM scratch\n").quietly().commit(branch);
        Delivery::push(&mine, &format!("refs/heads/{branch}"), &commit).send(site).await.is(202);
        assert_eq!(outcome(site, &mine, &commit).await, format!("build {}", number + 2), "{branch}");
    }
}

#[tokio::test]
async fn commits_that_are_no_hashes_build_nothing() {
    let site = Site::shared().await;
    let mine = source(site, "hook-commits").await;
    let upper = "A".repeat(40);
    for (number, commit) in
        ["--upload-pack=x", "HEAD", "", "$(reboot)", "aaaa", &upper, &"a".repeat(41), "../../../etc/passwd", "a\nb"]
            .into_iter()
            .enumerate()
    {
        for key in ["after", "head_commit", "before"] {
            let mut body = push_payload(mine.repo.id(), "refs/heads/x", COMMIT);
            match key {
                "head_commit" => body["head_commit"]["id"] = commit.into(),
                key => body[key] = commit.into(),
            }
            let mark = format!("bad-commit-{number}-{key}");
            body["mark"] = mark.clone().into();
            Delivery::of(&mine, body.to_string()).send(site).await.is(202);
            let said = outcome(site, &mine, &mark).await;
            assert!(said.contains("lower-case hex digits"), "{key} {commit:?}: {said}");
        }
    }
    assert_eq!(builds(site, &mine).await, 1);
}

#[tokio::test]
async fn a_payload_about_another_repository_builds_nothing() {
    let site = Site::shared().await;
    let (mine, other) = (source(site, "hook-a").await, source(site, "hook-b").await);
    let body = push_payload(other.repo.id(), "refs/heads/main", COMMIT);
    Delivery::of(&mine, body.to_string()).send(site).await.is(202);
    assert_eq!(outcome(site, &mine, COMMIT).await, "it is about another repository");
    assert_eq!((builds(site, &mine).await, builds(site, &other).await), (1, 1));
}

#[tokio::test]
async fn a_commit_that_the_forge_does_not_have_builds_nothing() {
    let site = Site::shared().await;
    let mine = source(site, "hook-ghost").await;
    // The ref exists, and is elsewhere than the payload says.
    Delivery::push(&mine, "refs/heads/main", COMMIT).send(site).await.is(202);
    assert_eq!(outcome(site, &mine, COMMIT).await, "the ref had moved on when this came");
    assert_eq!(builds(site, &mine).await, 1);
}
