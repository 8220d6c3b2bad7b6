//! APIs that lead elsewhere.

use super::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// An API that gives each path its status and location, and what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: impl Fn(&str, &str) -> Option<(u16, String)> + Send + Sync + 'static) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (own, requests) = (url.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let request = read(&mut connection).await;
                let path = request.split(' ').nth(1).unwrap_or_default();
                let answer = match answers(&own, path) {
                    Some((status, to)) => format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0"),
                    None => "HTTP/1.1 200 OK\r\ncontent-length: 8\r\ncontent-type: application/json".to_owned(),
                };
                let body = if answer.contains(" 200 ") { "{\"id\":7}" } else { "" };
                requests.lock().unwrap().push(request);
                let answer = format!("{answer}\r\nconnection: close\r\n\r\n{body}");
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, asked }
    }

    fn client(&self) -> Client {
        Forges::default().client(&self.url, &Secret::new("gho_secret")).unwrap()
    }

    /// Method and path of each question, and whether it had the token.
    fn asked(&self) -> Vec<(String, bool)> {
        let asked = self.asked.lock().unwrap();
        let line = |request: &String| request.split(" HTTP/").next().unwrap_or_default().to_owned();
        asked.iter().map(|request| (line(request), request.contains("gho_secret"))).collect()
    }
}

/// Head and body of one request.
async fn read(connection: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = connection.read(&mut buffer).await.unwrap_or_default();
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let announced = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
        if length == 0 || (head.len() < text.len() && body.len() >= announced.unwrap_or(0)) {
            return text;
        }
    }
}

/// The old name leads to the id.
fn renamed(own: &str, path: &str) -> Option<(u16, String)> {
    path.contains("/old").then(|| (301, format!("{own}/api/v3/repositories/7?page=2")))
}

#[tokio::test]
async fn a_redirect_within_the_api_is_followed_with_the_token() {
    for relative in [false, true] {
        let to = move |own: &str, path: &str| {
            let (status, to) = renamed(own, path)?;
            Some((status, if relative { to.replace(own, "") } else { to }))
        };
        let fake = Fake::start(to).await;
        let reply = fake.client().get("/repos/acme/old", None).await.unwrap();
        assert_eq!(reply.json::<Value>().unwrap(), json!({"id": 7}));
        let expected = ["GET /api/v3/repos/acme/old", "GET /api/v3/repositories/7?page=2"];
        assert_eq!(fake.asked(), expected.map(|line| (line.to_owned(), true)));
    }
}

#[tokio::test]
async fn what_is_sent_is_sent_again_where_it_belongs() {
    for status in [301, 302, 307, 308] {
        let fake = Fake::start(move |own, path| Some((status, renamed(own, path)?.1))).await;
        let body = json!({"state": "success"});
        fake.client().send(Method::POST, "/repos/acme/old/statuses/1", Some(&body)).await.unwrap();
        let asked = fake.asked.lock().unwrap();
        assert_eq!(asked.len(), 2, "{status}");
        for request in &*asked {
            assert!(request.starts_with("POST ") && request.ends_with(r#"{"state":"success"}"#), "{request}");
        }
    }
}

#[tokio::test]
async fn a_redirect_out_of_the_api_is_not_followed() {
    let elsewhere = Fake::start(|_, _| None).await;
    let other = elsewhere.url.clone();
    let port = other.rsplit(':').next().unwrap().to_owned();
    for target in [
        format!("{other}/api/v3/repositories/7"),
        format!("http://localhost:{port}/api/v3/repositories/7"),
        format!("//127.0.0.1:{port}/api/v3/repositories/7"),
        "https://127.0.0.1/api/v3/repositories/7".to_owned(),
        "/login?return_to=/api/v3/".to_owned(),
        "../../../x".to_owned(),
        String::new(),
    ] {
        let to = target.clone();
        let fake = Fake::start(move |_, _| Some((302, to.clone()))).await;
        let refused = fake.client().get("/repos/acme/old", None).await.map(|reply| reply.status);
        // To itself without end, where nothing is said.
        let expected = if target.is_empty() { MOST_REDIRECTS + 1 } else { 1 };
        assert!(matches!(refused, Err(ForgeError::Unreachable(_))), "{target}: {refused:?}");
        assert_eq!(fake.asked().len(), expected, "{target}");
    }
    assert_eq!(elsewhere.asked(), Vec::new());
}

#[test]
fn the_api_of_other_hosts_is_below_their_url() {
    assert_eq!(api_base("https://github.com"), "https://api.github.com/");
    assert_eq!(api_base("http://localhost:8090"), "http://localhost:8090/api/v3/");
}
