//! `HEAD`: every page answers it as `GET`, without the body.

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{routes, site::Site};

const UNKNOWN: &str = "01890000-0000-7000-8000-000000000000";

/// Headers that belong to one answer alone.
const OWN: &[&str] = &["date", "x-request-id", "set-cookie", "location"];

#[tokio::test]
async fn head_is_answered_as_get_by_every_page() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("header").await;
    let to = site.connected(&browser, "header", "web", false).await;
    let (namespace, repository) = to.name.split_once('/').expect("namespace and name");
    let values = [
        ("namespace", namespace),
        ("repository", repository),
        ("tag", "main"),
        ("number", "1"),
        ("id", UNKNOWN),
        ("hash", "000000000000"),
        ("name", "app.css"),
    ];
    let is_page =
        |path: &str| !["/v2", "/token", "/builder", "/login/github/callback"].iter().any(|p| path.starts_with(p));
    let mut seen = 0;
    for route in routes::all().into_iter().filter(|r| r.method == "GET" && is_page(&r.path)) {
        let path = routes::fill(&route.path, &values);
        if path.ends_with("/events") {
            let head = browser.send(browser.request(Method::HEAD, &path)).await;
            assert_eq!((head.status.as_u16(), head.header("content-type")), (200, "text/event-stream"), "{path}");
            continue;
        }
        let get = browser.get(&path).await;
        let head = browser.send(browser.request(Method::HEAD, &path)).await;
        assert_eq!(head.status, get.status, "{path}");
        let of = |page: &super::browser::Page| {
            let mut all: Vec<_> = page.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
            all.retain(|line| OWN.iter().all(|name| !line.starts_with(&format!("{name}:"))));
            all.sort();
            all
        };
        // Error pages show what is known of the viewer by then.
        if get.status.is_success() {
            assert_eq!(of(&head), of(&get), "{path}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} pages");
    for path in ["/nobody", &format!("/{}/-/cosign.pub", to.name), "/login", "/healthz"] {
        let mut stream = TcpStream::connect(("127.0.0.1", site.server.port())).await.expect("the server listens");
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it is text");
        assert!(answer.starts_with("HTTP/1.1 ") && answer.ends_with("\r\n\r\n"), "{path}: {answer}");
        assert_eq!(answer.matches("\r\n\r\n").count(), 1, "{path}: {answer}");
    }
}

#[tokio::test]
async fn build_now_takes_what_its_form_sends() {
    let site = Site::shared().await;
    let browser = site.signed_in("presser").await;
    let to = site.connected(&browser, "presser", "web", false).await;
    let page = browser.get(&format!("/{}", to.name)).await.is(200);
    page.says("name=\"ref\" value=\"main\"").says("name=\"cache\" value=\"off\"");
    let builds = format!("/{}/-/builds", to.name);
    let made = browser.post(&builds, &[("ref", "main"), ("cache", "off")]).await.is(303);
    assert_eq!(made.location(), format!("{builds}/2"));
    browser.post(&builds, &[("ref", "main"), ("admin", "true")]).await.is(400);
}
