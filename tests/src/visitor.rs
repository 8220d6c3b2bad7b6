//! A person without a browser: requests with a cookie jar, as a browser without scripts would send them.

use std::{collections::BTreeMap, sync::Mutex};

use reqwest::{Client, Method, RequestBuilder, Response, header::HeaderMap, redirect::Policy};
use serde::Serialize;
use slipway_forge::Forge;

use crate::Server;

/// Somebody at the pages of a server; signed in or not.
#[derive(Debug)]
pub struct Visitor {
    http: Client,
    base: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// One answer, as it was sent: redirects are not followed.
#[derive(Clone, Debug)]
pub struct Page {
    pub url: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Visitor {
    /// Somebody who is not signed in.
    pub fn new(server: &Server) -> Self {
        let http = server.http().redirect(Policy::none()).build().expect("the client has no other settings");
        Self { http, base: server.url(""), cookies: Mutex::default() }
    }

    /// Get started with GitHub → Authorize → back at `/new/import`.
    pub async fn sign_in(&self, forge: &Forge, login: &str) {
        let out = self.get("/login/github?purpose=get-started").await;
        let consent = out.location();
        assert!(consent.starts_with(&forge.url()), "{out}");
        let decision = [("decision", "authorize"), ("person", login)];
        let answer = self.http.post(&consent).form(&decision).send().await.expect("the forge answers");
        let back = read(answer).await.location();
        let back = back.strip_prefix(&self.base).unwrap_or_else(|| panic!("the forge leads to {back}")).to_owned();
        let entered = self.get(&back).await;
        assert_eq!(entered.location(), "/new/import", "{entered}");
    }

    pub async fn get(&self, path: &str) -> Page {
        read(self.open(path, &[]).await).await
    }

    /// The same with more headers, and as a stream.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.request(Method::GET, path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request).await
    }

    /// Sends a form of ours.
    pub async fn post(&self, path: &str, form: &(impl Serialize + ?Sized)) -> Page {
        let request = self.request(Method::POST, path).header("sec-fetch-site", "same-origin").form(form);
        read(self.send(request).await).await
    }

    /// Any request, with the cookies.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let jar: Vec<_> = self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.http.request(method, format!("{}{path}", self.base)).header("cookie", jar.join("; "))
    }

    async fn send(&self, request: RequestBuilder) -> Response {
        let response = request.send().await.expect("the server answers");
        let mut jar = self.jar();
        for cookie in response.headers().get_all("set-cookie") {
            let text = cookie.to_str().expect("our cookies are ASCII");
            let (name, rest) = text.split_once('=').expect("a cookie has a name");
            match rest.split(';').next() {
                None | Some("") => jar.remove(name),
                Some(value) => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        drop(jar);
        response
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().expect("no holder panics")
    }
}

async fn read(response: Response) -> Page {
    let (url, status, headers) = (response.url().to_string(), response.status().as_u16(), response.headers().clone());
    Page { url, status, headers, body: response.text().await.expect("the answer is whole") }
}

impl Page {
    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.headers.get("location").unwrap_or_else(|| panic!("no redirect: {self}"));
        location.to_str().expect("locations are ASCII").to_owned()
    }

    /// The same page; panics unless it is there.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "it is an assertion first")]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{self}");
        self
    }

    /// What people read: without tags, one space between words; code in a sentence stands between backticks.
    pub fn text(&self) -> String {
        let main = self.body.split_once("<main").map_or(self.body.as_str(), |(_, main)| main);
        plain(&main.replace("<code>", "`").replace("</code>", "`"))
    }

    #[track_caller]
    pub fn assert_says(&self, text: &str) {
        assert!(self.text().contains(text), "`{text}` is not on {self}");
    }

    #[track_caller]
    pub fn assert_does_not_say(&self, text: &str) {
        assert!(!self.text().contains(text), "`{text}` is on {self}");
    }

    /// The command with this start that the page offers for copying.
    #[track_caller]
    pub fn command(&self, start: &str) -> String {
        let all = self.between_each("<clipboard-copy value=\"", "\"");
        let found = all.iter().map(|text| unescape(text)).find(|text| text.starts_with(start));
        found.unwrap_or_else(|| panic!("no command `{start}` on {self}"))
    }

    /// What stands between two texts, each time.
    pub fn between_each(&self, before: &str, after: &str) -> Vec<&str> {
        self.body.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(text, _)| text).collect()
    }

    /// The first of these.
    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> &str {
        self.between_each(before, after).first().unwrap_or_else(|| panic!("no `{before}` on {self}"))
    }
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}):\n{}", self.url, self.status, self.text())
    }
}

/// The texts of the log's lines in a page or a part of one, without number and time.
pub(crate) fn log_lines(html: &str) -> Vec<String> {
    let lines = html.split("</time><span>").skip(1);
    lines.filter_map(|rest| rest.split_once("</div>")).map(|(line, _)| plain(line)).collect()
}

/// HTML as text.
pub(crate) fn plain(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, after)| after));
    }
    unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unescape(text: &str) -> String {
    let pairs = [("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&#60;", "<"), ("&lt;", "<")];
    let more = [("&#62;", ">"), ("&gt;", ">"), ("&#38;", "&"), ("&amp;", "&")];
    pairs.iter().chain(&more).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
