//! A browser without a screen: cookies, no redirects, and headers as a real one sends them.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE},
    redirect::Policy,
};

/// Whoever asks; anonymous until it signs in. Each has an address of its own, for the limits are by address.
#[derive(Debug)]
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    /// The server's log, for the cause of a 500.
    log: PathBuf,
    address: String,
    jar: Mutex<BTreeMap<String, String>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(base: &str, log: PathBuf) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let [_, b, c, d] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { http, base: base.to_owned(), log, address: format!("10.{b}.{c}.{d}"), jar: Mutex::default() }
    }

    /// The same person with connections of its own: those of another test end with it.
    pub(crate) fn again(&self) -> Self {
        let other = Self::new(&self.base, self.log.clone());
        other.jar().clone_from(&self.jar());
        other
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path)).await
    }

    /// A form as a page of the site itself sends it.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(self.request(Method::POST, path).header("sec-fetch-site", "same-origin").form(form)).await
    }

    /// A request to a path of the site, or to another address.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        let request = self.http.request(method, url).header("x-forwarded-for", &self.address);
        let jar = self.jar();
        let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) }
    }

    /// Sends it, and keeps the cookies of the answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Page {
        let answer = request.send().await.expect("the server answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        for set in headers.get_all(SET_COOKIE) {
            let set = set.to_str().expect("cookies are ASCII");
            let (pair, rest) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            if value.is_empty() || rest.contains("Max-Age=0") {
                self.jar().remove(name);
            } else {
                self.jar().insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8_lossy(&answer.bytes().await.expect("the answer is whole")).into_owned();
        let mut page = Page { status, headers, text };
        if status.is_server_error() {
            let log = fs::read(&self.log).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let id = page.header("x-request-id").to_owned();
            let lines = log.lines().filter(|line| line.contains(&id) && line.contains("ERROR"));
            page.text.extend(lines.map(|line| format!("\n--- log: {line}")));
        }
        page
    }

    /// The value of the cookie whose name begins so.
    pub(crate) fn cookie(&self, start: &str) -> Option<String> {
        self.jar().iter().find(|(name, _)| name.starts_with(start)).map(|(_, value)| value.clone())
    }

    /// All cookies, name and value.
    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        self.jar().clone().into_iter().collect()
    }

    /// Replaces the cookie whose name begins so, as an attacker's or an old browser's would be.
    pub(crate) fn set_cookie(&self, start: &str, value: &str) {
        let mut jar = self.jar();
        let name = jar.keys().find(|name| name.starts_with(start)).cloned().expect("there is such a cookie");
        jar.insert(name, value.to_owned());
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// The same page; panics with its text unless it has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}\n{}", self.header(LOCATION.as_str()), self.text);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert!(self.status.is_redirection(), "{} is no redirect:\n{}", self.status, self.text);
        self.header(LOCATION.as_str()).to_owned()
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "`{text}` is not on the page ({}):\n{}", self.status, self.text);
        self
    }

    /// A sentence in which words stand between backticks, as pages draw it.
    #[track_caller]
    pub(crate) fn tells(&self, sentence: &str) -> &Self {
        let parts = sentence.split('`').enumerate();
        let drawn = parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() });
        self.says(&drawn.collect::<String>())
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "`{text}` is on the page ({}):\n{}", self.status, self.text);
        self
    }
}
