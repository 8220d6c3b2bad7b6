//! Ends of attempts, with servers that do not take them.

use super::*;
use crate::api::Api;
use crate::config::{Config, LogLimits};
use slipway_buildkit::Event;
use slipway_protocol::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use uuid::Uuid;

/// A server that answers everything with one status.
async fn server(status: &'static str) -> AttemptApi {
    server_saying(status, "").await
}

/// And with this body.
async fn server_saying(status: &'static str, body: &'static str) -> AttemptApi {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _request = connection.read(&mut vec![0; 64 << 10]).await;
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    Api::new(&Config::new(url, "t", "/nowhere")).unwrap().attempt(Uuid::nil(), "token")
}

fn notice() -> Vec<Record> {
    vec![Record::Notice { at: 0, text: "x".to_owned() }]
}

fn succeeded() -> Outcome {
    Outcome::Succeeded { digest: "sha256:a".to_owned(), materials: Vec::new() }
}

#[tokio::test]
async fn a_log_that_is_refused_ends_the_attempt() {
    let api = server("413 Payload Too Large").await;
    let outbox = Arc::new(Outbox::new(1000));
    let (stop, stopped) = watch::channel(None);
    outbox.add(notice());
    let delivering = deliver::run(api, outbox.clone(), stop);
    tokio::time::timeout(Duration::from_secs(5), delivering).await.expect("the same is not sent for ever");
    assert_eq!(*stopped.borrow(), Some(Stop::LogRefused));
    outbox.add(notice());
    outbox.close();
    tokio::time::timeout(Duration::from_secs(5), outbox.delivered()).await.expect("nothing is waited for");
    assert!(outbox.is_refused());
}

#[tokio::test]
async fn a_log_that_has_ended_at_the_server_is_not_sent_on() {
    let api = server_saying("200 OK", r#"{"acknowledged":1,"cancel":false,"ended":"the log is too large"}"#).await;
    let outbox = Arc::new(Outbox::new(1000));
    let (stop, stopped) = watch::channel(None);
    for _ in 0..3 {
        outbox.add(notice());
    }
    outbox.close();
    let delivering = deliver::run(api, outbox.clone(), stop);
    tokio::time::timeout(Duration::from_secs(5), delivering).await.expect("what is left is dropped");
    assert_eq!(*stopped.borrow(), None, "the build goes on");
    assert!(!outbox.is_refused());
}

#[tokio::test]
async fn a_builder_that_is_to_stop_waits_for_its_server_no_more_than_a_moment() {
    let api = server("507 Insufficient Storage").await;
    let outbox = Outbox::new(1000);
    outbox.close();
    let (_stop, stopped) = watch::channel(None);
    let (shutdown, shutting_down) = watch::channel(false);
    let ending = end(&api, &outbox, succeeded(), stopped, shutting_down, "a build");
    tokio::pin!(ending);
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut ending).await.is_err(), "a server may come back");
    shutdown.send(true).unwrap();
    let short = LAST_MOMENT + Duration::from_secs(2);
    tokio::time::timeout(short, &mut ending).await.expect("it ends");
}

#[tokio::test]
async fn what_comes_after_a_solve_is_recorded_however_far_the_server_lags() {
    let outbox = Arc::new(Outbox::new(0));
    let recorder = Recorder::new(Secrets::new([]), Hosts::default(), LogLimits::default());
    let mut journal = Journal::new(recorder, outbox.clone());
    let started = |index| Event::StepStarted {
        index,
        vertex: "v".to_owned(),
        name: "[1/1] RUN a".to_owned(),
        inputs: Vec::new(),
        at: 1,
    };
    let waiting = tokio::time::timeout(Duration::from_millis(50), journal.apply(started(1)));
    assert!(waiting.await.is_err(), "while it runs, the build waits");
    for index in 2..=300 {
        journal.apply_at_once(started(index));
    }
    assert_eq!(outbox.batch().records.len(), 300);
}
