//! Forges that lead elsewhere, refuse, or do not speak git.

use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A forge that gives each path its answer, and the heads of what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (own, heads) = (url.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut head = vec![0; 16 << 10];
                let length = connection.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = answers(&own, &path);
                heads.lock().unwrap().push(head);
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, asked }
    }

    async fn refs(&self) -> Outcome<(String, Answer)> {
        let git = Git::default();
        let authorization = HeadersSecret("Basic c2VjcmV0".into());
        let remote = git.remote(&self.url, Some(authorization)).unwrap();
        remote.refs(&format!("{}/a/b.git", self.url), &Question::default()).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn to(location: &str) -> String {
    format!("HTTP/1.1 301 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn with(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn good() -> String {
    with("200 OK", "application/x-git-upload-pack-advertisement", "0000")
}

#[tokio::test]
async fn a_redirect_within_the_forge_is_followed_and_remembered() {
    let fake = Fake::start(|own, path| {
        if path.starts_with("/new/") {
            good()
        } else {
            to(&format!("{own}/new/name.git/info/refs?service=git-upload-pack"))
        }
    })
    .await;
    let (base, answer) = fake.refs().await.unwrap();
    assert_eq!(base, format!("{}/new/name.git", fake.url));
    assert!(matches!(answer, Answer::Good { .. }));
    assert!(
        fake.asked().iter().all(|head| head.contains("authorization: basic ")),
        "the forge is asked with the credential"
    );
}

#[tokio::test]
async fn a_redirect_out_of_the_forge_is_not_followed_and_no_credential_goes_there() {
    let elsewhere = Fake::start(|_, _| good()).await;
    let other = elsewhere.url.clone();
    let port = other.rsplit(':').next().unwrap().to_owned();
    let targets = [
        format!("{other}/a/b.git/info/refs?service=git-upload-pack"),
        format!("http://localhost:{port}/a/b.git/info/refs"),
        format!("//127.0.0.1:{port}/a/b.git/info/refs"),
        "https://127.0.0.1/a/b.git/info/refs".to_owned(),
        "file:///etc/info/refs".to_owned(),
        "/login?return_to=/a/b.git".to_owned(),
        "nonsense\u{1}".to_owned(),
    ];
    for target in targets {
        let answer = to(&target);
        let fake = Fake::start(move |_, _| answer.clone()).await;
        let refused = fake.refs().await.map(|(base, _)| base);
        assert!(matches!(refused, Err(ForgeError::Unreachable(_))), "{target}: {refused:?}");
        assert_eq!(fake.asked().len(), 1, "{target}");
    }
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn redirects_without_end_are_given_up() {
    let fake = Fake::start(|own, path| {
        let next = format!("/x{}", path.split("/info/").next().unwrap_or_default());
        to(&format!("{own}{next}/info/refs"))
    })
    .await;
    assert!(matches!(fake.refs().await, Err(ForgeError::Unreachable(_))));
    assert_eq!(fake.asked().len(), MOST_REDIRECTS + 1);
}

#[tokio::test]
async fn refusals_keep_their_status_and_lose_what_is_no_text_or_secret() {
    for (status, kind, body, expected) in [
        ("401 Unauthorized", "text/plain; charset=utf-8", "Bad credentials", (401, "Bad credentials")),
        ("403 Forbidden", "text/plain", "denied c2VjcmV0 \u{1b}[1m", (403, "denied *** [1m")),
        ("404 Not Found", "text/html", "<script>", (404, "the forge answered 404")),
        ("503 Away", "text/plain", "later", (503, "later")),
    ] {
        let answer = with(status, kind, body);
        let fake = Fake::start(move |_, _| answer.clone()).await;
        let (_, Answer::Refusal { status, words }) = fake.refs().await.unwrap() else { panic!("{body} is no refusal") };
        assert_eq!((status, words.as_str()), expected);
    }
    let fake = Fake::start(|_, _| with("429 Slow Down", "text/plain", "slow")).await;
    assert!(matches!(fake.refs().await, Err(ForgeError::RateLimited(60))));
}

#[tokio::test]
async fn an_answer_that_is_not_gits_is_not_passed_on() {
    for answer in [
        with("200 OK", "text/html", "<html>"),
        with("200 OK", "text/plain", "dumb"),
        with("206 Partial Content", "application/x-git-upload-pack-advertisement", "0000"),
        "no http\r\n\r\n".to_owned(),
    ] {
        let fake = Fake::start(move |_, _| answer.clone()).await;
        assert!(matches!(fake.refs().await, Err(ForgeError::Unreachable(_))));
    }
}

#[tokio::test]
async fn of_a_long_refusal_the_beginning_is_told() {
    let answer = with("403 Forbidden", "text/plain", &"no ".repeat(3_000));
    let fake = Fake::start(move |_, _| answer.clone()).await;
    let (_, Answer::Refusal { words, .. }) = fake.refs().await.unwrap() else { panic!("it is a refusal") };
    assert_eq!(words.len(), MOST_WORDS);
}
