//! The way of a source to a builder: whose it is, and its bounds.

use super::*;
use crate::builds::source::{self, Passages};
use crate::error::Error;
use crate::forge::git::{Answer, Question};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn refs(scene: &Scene, attempt: &rows::Attempt) -> Result<(), Error> {
    source::refs(&scene.app.app, attempt, &Question::default()).await.map(drop)
}

#[tokio::test]
async fn a_builder_is_told_two_addresses_and_no_credential() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    assert_eq!(assignment.source.clone_url, scene.wired().source.clone_url);
    let way = format!("/builder/v1/attempts/{}/source.git", assignment.attempt_id);
    let server = scene.app.config.internal_url.as_str().trim_end_matches('/');
    assert_eq!(assignment.source.fetch_url, format!("{server}{way}"));
    let told = serde_json::to_value(&assignment.source).unwrap();
    let mut fields: Vec<_> = told.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, ["clone_url", "commit", "fetch_url", "id"]);
}

#[tokio::test]
async fn a_source_is_passed_on_while_the_attempt_is_the_present_one() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    // Nobody is at the forge's address; that it was asked is what tells.
    let asked = refs(&scene, &attempt).await.unwrap_err();
    assert!(matches!(asked, Error::Forge(_)), "{asked}");
    crate::builds::lease::give_back(&scene.app, &attempt, "the builder stops").await.unwrap();
    let refused = refs(&scene, &attempt).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
}

#[tokio::test]
async fn passages_of_one_attempt_are_bounded_together() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    let mut open = Vec::new();
    for _ in 0..source::MOST_OF_ATTEMPT {
        open.push(source::Open::take(&scene.app.app, &attempt).await.unwrap());
    }
    assert!(matches!(refs(&scene, &attempt).await, Err(Error::TooManyRequests { .. })));
    open.pop();
    assert!(matches!(refs(&scene, &attempt).await, Err(Error::Forge(_))), "one that ended makes room");
    let one = open.pop().unwrap();
    assert!(one.count(0, source::MOST_BYTES) && !one.count(source::MOST_BYTES, 1));
    drop((one, open));
    assert!(matches!(refs(&scene, &attempt).await, Err(Error::TooLarge(_))), "and is not begun again");
}

#[tokio::test]
async fn an_answer_under_way_breaks_off_when_its_attempt_ends() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    let open = source::Open::take(&scene.app.app, &attempt).await.unwrap();
    let first = stream::iter([Ok(Bytes::from_static(b"a"))]);
    let mut pieces = source::guarded(open, Box::pin(first.chain(stream::pending())));
    assert_eq!(pieces.next().await.unwrap().unwrap(), "a");
    crate::builds::lease::give_back(&scene.app, &attempt, "the builder stops").await.unwrap();
    assert!(pieces.next().await.unwrap().is_err(), "it does not look whole");
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn a_silent_forge_is_waited_for_no_longer_when_the_attempt_ends() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    let silent = std::future::pending::<Result<(), Error>>();
    let ended = crate::builds::lease::give_back(&scene.app, &attempt, "the builder stops");
    let (asked, ended) = tokio::join!(source::while_present(&scene.app, &attempt, silent), ended);
    ended.unwrap();
    assert!(matches!(asked, Err(Error::Conflict(_))), "{asked:?}");
}

#[tokio::test]
async fn an_answer_that_comes_when_its_attempt_is_over_is_not_passed_on() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    let open = source::Open::take(&scene.app.app, &attempt).await.unwrap();
    crate::builds::lease::give_back(&scene.app, &attempt, "the builder stops").await.unwrap();
    let mut pieces = source::guarded(open, Box::pin(stream::iter([Ok(Bytes::from_static(b"a"))])));
    assert!(pieces.next().await.unwrap().is_err(), "not one piece");
}

#[tokio::test]
async fn an_answer_that_the_forge_breaks_off_does_not_look_whole() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    for (end, is_whole) in [(None, true), (Some(Err(std::io::Error::other("reset"))), false)] {
        let open = source::Open::take(&scene.app.app, &attempt).await.unwrap();
        let body = stream::iter(std::iter::once(Ok(Bytes::from_static(b"a"))).chain(end));
        let pieces: Vec<_> = source::guarded(open, Box::pin(body)).collect().await;
        assert_eq!(pieces.iter().all(std::result::Result::is_ok), is_whole, "{pieces:?}");
    }
}

#[test]
fn nothing_is_known_of_an_attempt_that_never_asked() {
    assert_eq!(Passages::default().with(Uuid::nil(), |_| ()), None);
}

#[tokio::test]
async fn all_answers_to_one_attempt_are_bounded_together() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    for _ in 0..4 {
        let one = source::Open::take(&scene.app.app, &attempt).await.unwrap();
        assert!(one.count(0, source::MOST_BYTES));
    }
    let next = source::Open::take(&scene.app.app, &attempt).await.unwrap();
    assert!(!next.count(0, 1));
    drop(next);
    assert!(matches!(refs(&scene, &attempt).await, Err(Error::TooLarge(_))));
}

/// A forge that has given its code repository another address; the heads of what it was asked.
async fn forge_that_moved() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heads = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = vec![0; 16 << 10];
            let length = connection.read(&mut head).await.unwrap_or_default();
            let line = String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned();
            let answer = if line.contains("/new/") {
                let kind = if line.starts_with("GET") { "advertisement" } else { "result" };
                format!("200 OK\r\ncontent-type: application/x-git-upload-pack-{kind}")
            } else {
                "301 Moved\r\nlocation: /new/web.git/info/refs".to_owned()
            };
            heads.lock().unwrap().push(line);
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 4\r\nconnection: close\r\n\r\n0000");
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn objects_are_asked_for_where_the_refs_were_found() {
    let (url, asked) = forge_that_moved().await;
    let scene = Scene::of_forge(&url).await;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let attempt = scene.attempt(assignment.attempt_id).await;
    refs(&scene, &attempt).await.unwrap();
    let body = stream::iter([Ok(Bytes::from_static(b"0000"))]);
    let answer = source::pack(&scene.app.app, &attempt, &Question::default(), body).await.unwrap();
    assert!(matches!(answer, Answer::Good { .. }));
    let last = asked.lock().unwrap().last().cloned();
    assert_eq!(last.as_deref(), Some("POST /new/web.git/git-upload-pack HTTP/1.1"));
}
