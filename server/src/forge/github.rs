//! HTTP with GitHub, by octocrab: one pool of connections, one deadline for a call, answers of bounded size.

use super::refusals;
use crate::error::{Error, ForgeError, Result};
use crate::secrets::Secret;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use serde::de::DeserializeOwned;
use std::sync::OnceLock;
use std::time::Duration;

/// One call from the first byte out to the last byte in.
const DEADLINE: Duration = Duration::from_secs(25);
/// The tree of a large repository is the largest answer; GitHub itself stops at 7 MB.
const MOST_BYTES: usize = 16 << 20;

/// The open connections to forges of this process.
#[derive(Default)]
pub struct Forges {
    github: OnceLock<Octocrab>,
}

/// Calls with one token.
pub(super) struct Client {
    crab: Octocrab,
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
        let shared = if let Some(shared) = self.github.get() {
            shared
        } else {
            let made = open(&api_base(url)).map_err(|e| Error::internal("making the client of the forge", e))?;
            self.github.get_or_init(|| made)
        };
        let crab = shared.user_access_token(token.reveal()).map_err(|e| Error::internal("using a forge token", e))?;
        Ok(Client { crab })
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
        let mut request = Request::builder().method(Method::GET).uri(path);
        if let Some(etag) = etag.and_then(|e| HeaderValue::from_str(e).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        self.call(request, None).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, ForgeError> {
        self.call(Request::builder().method(method).uri(path), body).await
    }

    async fn call(
        &self,
        request: http::request::Builder,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, ForgeError> {
        let request = self.crab.build_request(request, body).map_err(|e| unreachable(&e))?;
        let exchange = async {
            let response = self.crab.execute(request).await.map_err(|e| unreachable(&e))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|e| unreachable(e.as_ref()))?;
            Ok(Reply { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        let late = |_elapsed| ForgeError::Unreachable(format!("no answer within {} s", DEADLINE.as_secs()));
        let reply: Reply = tokio::time::timeout(DEADLINE, Box::pin(exchange)).await.map_err(late)??;
        if reply.status.is_success() || reply.is_unchanged() {
            return Ok(reply);
        }
        Err(refusals::meaning(reply.status, &reply.headers, &reply.body))
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
mod tests {
    use super::api_base;

    #[test]
    fn the_api_of_other_hosts_is_below_their_url() {
        assert_eq!(api_base("https://github.com"), "https://api.github.com/");
        assert_eq!(api_base("http://localhost:8090"), "http://localhost:8090/api/v3/");
    }
}
