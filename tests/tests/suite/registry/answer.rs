//! What the server answered, with assertions that show all of it.

use std::fmt;

use reqwest::header::HeaderMap;
use serde_json::Value;

pub(super) struct Answer {
    pub(super) what: String,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) async fn read(what: String, response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.unwrap_or_else(|e| panic!("{what}: the body broke off: {e:?}"));
        Self { what, status, headers, body: body.to_vec() }
    }

    /// The same answer; panics with all of it unless its status is this.
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The same answer; panics unless it is an error of the registry with this status and code.
    #[track_caller]
    pub(super) fn fails(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self}");
        assert_eq!(self.header("content-type"), "application/json", "{self}");
        assert!(!self.text().contains("/tmp/"), "a path of ours: {self}");
        self
    }

    /// A header, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().expect("our headers are text")).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// The code of the first error, or nothing.
    pub(super) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let short: String = text.chars().take(2_000).collect();
        writeln!(f, "{} answered {}", self.what, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value:?}")?;
        }
        write!(f, "\n{short}")
    }
}
