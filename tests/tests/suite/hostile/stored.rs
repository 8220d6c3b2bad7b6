//! What strangers store is no page of ours: it is opened in Chromium, by somebody who is signed in.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use slipway_tests::browser;

use super::{browser::Page, site::Site};

/// Makes a token of whoever opens it, with all rights and for ever.
const SCRIPT: &str = "fetch('/settings/tokens',{method:'POST',headers:{'content-type':\
    'application/x-www-form-urlencoded'},body:'name=stolen&scope=admin&expires=never'})";

const TAKEN: &str = "application/vnd.acme.thing+json";
/// How old versions let a manifest be stored.
const OLD: &[&str] = &["text/html", "application/xhtml+xml", "image/svg+xml", "text/html; charset=utf-8", "TEXT/HTML"];

/// JSON in the eyes of a registry, HTML or XML in those of a browser.
fn hostile(media_type: &str) -> String {
    let page = format!("<script>{SCRIPT}</script>");
    json!({ "mediaType": media_type, "x": page, "<html xmlns='http://www.w3.org/1999/xhtml'>": 1 }).to_string()
}

/// Eve, who pushes to a public repository of hers.
struct Eve<'a> {
    site: &'a Site,
    name: String,
    bearer: String,
}

impl<'a> Eve<'a> {
    async fn new(site: &'a Site) -> Self {
        let token = site.server.person("eve").await;
        let name = "eve/trap".to_owned();
        let ask = format!("/token?scope=repository:{name}:pull,push,delete");
        let stranger = site.browser();
        let answer = stranger.send(stranger.request(Method::GET, &ask).basic_auth("eve", Some(token))).await.is(200);
        let answer: Value = serde_json::from_str(&answer.text).expect("an answer in JSON");
        let bearer = answer["token"].as_str().expect("a token").to_owned();
        Self { site, name, bearer }
    }

    async fn send(&self, method: Method, path: &str, media_type: &str, body: String) -> Page {
        let browser = self.site.browser();
        let path = if path.starts_with("/v2/") { path.to_owned() } else { format!("/v2/{}/{path}", self.name) };
        let request = browser.request(method, &path).bearer_auth(&self.bearer).body(body);
        browser.send(if media_type.is_empty() { request } else { request.header("content-type", media_type) }).await
    }

    /// Pushes a manifest and answers its digest.
    async fn stores(&self, tag: &str) -> String {
        let body = hostile(TAKEN);
        self.send(Method::PUT, &format!("manifests/{tag}"), TAKEN, body.clone()).await.is(201);
        digest(&body)
    }

    async fn stores_blob(&self, bytes: &str) -> String {
        let upload = self.send(Method::POST, "blobs/uploads/", "", String::new()).await.is(202);
        let path = format!("{}?digest={}", upload.header("location"), digest(bytes));
        self.send(Method::PUT, &path, "text/html", bytes.to_owned()).await.is(201);
        digest(bytes)
    }
}

fn digest(bytes: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[tokio::test]
async fn a_page_is_refused_as_a_manifest_whoever_names_its_type() {
    let site = Site::new(&[]).await;
    let eve = Eve::new(&site).await;
    for bad in OLD {
        let refused = eve.send(Method::PUT, "manifests/page", bad, hostile(bad)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}: {}", refused.text);
        refused.says("MANIFEST_INVALID");
    }
}

#[tokio::test]
async fn a_stored_manifest_or_blob_runs_nothing_in_the_browser_of_who_opens_it() {
    let site = Site::new(&[]).await;
    let victim = site.signed_in("victim").await;
    let eve = Eve::new(&site).await;
    let manifest = eve.stores("taken").await;
    let blob = eve.stores_blob(&format!("<!doctype html><script>{SCRIPT}</script>")).await;
    site.server.visibility(&eve.name, "public").await;
    let mut addresses = vec![
        site.server.url(&format!("/v2/{}/manifests/taken", eve.name)),
        site.server.url(&format!("/v2/{}/blobs/{blob}", eve.name)),
        site.server.url(&format!("/v2/{}/referrers/{manifest}?artifactType=%3Cscript%3E", eve.name)),
        site.server.url(&format!("/v2/{}/manifests/%3Cscript%3E", eve.name)),
    ];
    let mut seen = Vec::new();
    for old in OLD {
        // As a version before this one stored it.
        site.sql(&format!("UPDATE manifest SET media_type = '{old}' WHERE digest = '{manifest}'")).await;
        addresses.push(site.server.url(&format!("/v2/{}/manifests/{manifest}?{old}", eve.name)));
        seen.extend(opened(&site, &victim, &addresses, old).await);
        addresses.truncate(0);
        let answer = eve.send(Method::GET, "manifests/taken", "", String::new()).await.is(200);
        assert_eq!(answer.header("content-type"), "application/octet-stream", "{old}");
    }
    assert_eq!(seen.len(), OLD.len() + 4);
    for one in &seen {
        let (kind, downloaded) = (one["type"].as_str().unwrap_or_default(), &one["downloaded"]);
        assert!(!kind.contains("xml") && !kind.contains("svg"), "{one}");
        assert!(kind != "text/html" || one["at"] == "about:blank", "shown as a page: {one}");
        let is_stored = !one["address"].as_str().is_some_and(|a| a.contains("referrers") || a.contains("%3C"));
        assert_eq!(downloaded, &json!(is_stored), "{one}");
    }
}

/// Opens the addresses; the only token that is made meanwhile is the one that the control makes.
async fn opened(site: &Site, victim: &super::browser::Browser, addresses: &[String], run: &str) -> Vec<Value> {
    let before = site.count("token WHERE name = 'stolen'").await;
    let (name, value) = victim.cookies().into_iter().find(|(n, _)| n.contains("session")).expect("a session");
    let input = json!({
        "cookie": { "name": name, "value": value, "url": site.server.url("/"), "httpOnly": true, "sameSite": "Lax" },
        "control": site.server.url("/settings/tokens"),
        "script": SCRIPT,
        "addresses": addresses,
    });
    let found = browser("stored.mjs", &input).await;
    assert!(found["title"].as_str().is_some_and(|title| title.contains("Access tokens")), "not signed in: {found:#}");
    let made = site.count("token WHERE name = 'stolen'").await - before;
    assert_eq!(made, 1, "{run}: the control alone makes a token: {found:#}");
    found["seen"].as_array().expect("a list").clone()
}
