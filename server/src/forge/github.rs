//! HTTP with GitHub, by octocrab: one pool of connections, one deadline for a call, answers of bounded size.
//!
//! What was renamed or transferred answers with a redirect. It is followed within the API only, as the question was.

use super::refusals;
use crate::error::{Error, ForgeError, Result};
use crate::secrets::Secret;
use http::header::{ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use serde::de::DeserializeOwned;
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

/// One call from the first byte out to the last byte in.
const DEADLINE: Duration = Duration::from_secs(25);
/// The tree of a large repository is the largest answer; GitHub itself stops at 7 MB.
const MOST_BYTES: usize = 16 << 20;
/// A rename of the owner and one of the repository are two.
const MOST_REDIRECTS: usize = 5;

/// The open connections to forges of this process.
#[derive(Default)]
pub struct Forges {
    github: OnceLock<(Octocrab, Url)>,
}

/// Calls with one token.
pub(super) struct Client {
    crab: Octocrab,
    /// With a slash at the end.
    api: Url,
}

/// An answer that is no refusal.
pub(super) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: bytes::Bytes,
}

impl Forges {
    /// A client for `url`, which is the same for the life of a process.
    pub(super) fn client(&self, url: &str, token: &Secret) -> Result<Client> {
        let (shared, api) = if let Some(shared) = self.github.get() {
            shared
        } else {
            let base = api_base(url);
            let api = Url::parse(&base).map_err(|e| Error::internal("reading the forge's address", e))?;
            let made = open(&base).map_err(|e| Error::internal("making the client of the forge", e))?;
            self.github.get_or_init(|| (made, api))
        };
        let crab = shared.user_access_token(token.reveal()).map_err(|e| Error::internal("using a forge token", e))?;
        Ok(Client { crab, api: api.clone() })
    }
}

fn api_base(url: &str) -> String {
    if url == "https://github.com" { "https://api.github.com/".to_owned() } else { format!("{url}/api/v3/") }
}

fn open(api: &str) -> octocrab::Result<Octocrab> {
    Octocrab::builder()
        .base_uri(api)?
        .set_connect_timeout(Some(Duration::from_secs(10)))
        .set_read_timeout(Some(DEADLINE))
        .set_write_timeout(Some(DEADLINE))
        // Jobs repeat, and know when; a request in a page does not wait.
        .add_retry_config(RetryConfig::None)
        .add_header(http::header::ACCEPT, "application/vnd.github+json".to_owned())
        .add_header(http::header::USER_AGENT, concat!("slipway/", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

impl Client {
    /// Asks `path` (it starts with `/`); with `etag`, an unchanged answer is a short one.
    pub(super) async fn get(&self, path: &str, etag: Option<&str>) -> Result<Reply, ForgeError> {
        self.call(&Method::GET, path, etag, None).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, ForgeError> {
        self.call(&method, path, None, body).await
    }

    /// With redirects: docs.github.com, "Best practices for using the REST API", has them repeated as they were.
    async fn call(
        &self,
        method: &Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, ForgeError> {
        let exchanges = async {
            let mut path = path.to_owned();
            for _ in 0..=MOST_REDIRECTS {
                let reply = self.exchange(method, &path, etag, body).await?;
                if !matches!(reply.status.as_u16(), 301 | 302 | 307 | 308) {
                    return Ok(reply);
                }
                path = self.moved(&path, &reply)?;
            }
            Err(ForgeError::Unreachable("it sends from one address to the next".into()))
        };
        let late = |_elapsed| ForgeError::Unreachable(format!("no answer within {} s", DEADLINE.as_secs()));
        let reply: Reply = tokio::time::timeout(DEADLINE, Box::pin(exchanges)).await.map_err(late)??;
        if reply.status.is_success() || reply.is_unchanged() {
            return Ok(reply);
        }
        Err(refusals::meaning(reply.status, &reply.headers, &reply.body))
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, ForgeError> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(etag) = etag.and_then(|e| HeaderValue::from_str(e).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let request = self.crab.build_request(request, body).map_err(|e| unreachable(&e))?;
        let response = self.crab.execute(request).await.map_err(|e| unreachable(&e))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|e| unreachable(e.as_ref()))?;
        Ok(Reply { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    /// The path of the API that a redirect leads to. The token goes to the API's own address only.
    fn moved(&self, from: &str, reply: &Reply) -> Result<String, ForgeError> {
        let place = |location: &str| {
            let from = self.api.join(from.trim_start_matches('/')).ok()?;
            let to = from.join(location).ok()?;
            let ours = to.origin() == self.api.origin() && to.username().is_empty() && to.password().is_none();
            let path = to.path().strip_prefix(self.api.path()).filter(|_| ours)?;
            Some(to.query().map_or_else(|| format!("/{path}"), |query| format!("/{path}?{query}")))
        };
        let location = reply.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let elsewhere = || ForgeError::Unreachable("its API leads to an address that is not its own".into());
        location.and_then(place).ok_or_else(elsewhere)
    }
}

impl Reply {
    pub(super) fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(super) fn etag(&self) -> Option<&str> {
        self.headers.get(ETAG)?.to_str().ok()
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ForgeError> {
        serde_json::from_slice(&self.body)
            .map_err(|e| ForgeError::Unreachable(format!("its answer cannot be understood: {e}")))
    }
}

// Only the causes: octocrab's own texts carry a backtrace.
fn unreachable(error: &(dyn std::error::Error + 'static)) -> ForgeError {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    ForgeError::Unreachable(innermost.to_string().lines().next().unwrap_or_default().chars().take(200).collect())
}

#[cfg(test)]
mod tests;
