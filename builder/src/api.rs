//! The calls to the server.

use crate::config::Config;
use anyhow::{Context, Result};
use reqwest::{Client, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipway_protocol::{
    Assignment, ClaimRequest, Finish, FinishReply, Heartbeat, HeartbeatReply, RecordBatch, RecordsReply,
};
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The attempt is no longer ours: drop the work.
    #[error("the server gave this attempt up")]
    Gone,
    /// The server does not take this builder (token, version): trying again soon is no use.
    #[error("the server refuses this builder: {0}")]
    Refused(String),
    /// Unreachable, restarting or busy.
    #[error("the server does not answer: {0}")]
    Away(String),
}

#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    base: Url,
}

impl Api {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let mut builder = Client::builder()
            .user_agent(concat!("slipway-builder/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&config.server) {
            builder = builder.no_proxy();
        }
        for file in &config.ca_files {
            let pem = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let mut base = config.server.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { client: builder.build().context("set up the HTTP client")?, base })
    }

    /// Waits for work; `None` when there is none.
    pub(crate) async fn claim(&self, token: &str, request: &ClaimRequest) -> Result<Option<Assignment>, Error> {
        let patience = Duration::from_secs(request.wait_secs + 15);
        let reply = self.post("claim", token, request, patience).await;
        match reply {
            Err(Error::Gone) => Err(Error::Refused("409".to_owned())),
            other => other,
        }
    }

    /// The calls about one attempt.
    pub(crate) fn attempt(&self, id: Uuid, token: &str) -> AttemptApi {
        AttemptApi { api: self.clone(), id, token: token.to_owned() }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<Option<T>, Error> {
        let url = self.base.join(&format!("builder/v1/{path}")).map_err(|error| Error::Refused(error.to_string()))?;
        let request = self.client.post(url).bearer_auth(token).json(body);
        let answer = request.timeout(patience).send().await.map_err(away)?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(None),
            status if status.is_success() => answer.json().await.map(Some).map_err(away),
            StatusCode::CONFLICT | StatusCode::GONE => Err(Error::Gone),
            status if retryable(status) => Err(Error::Away(status.to_string())),
            status => {
                let mut text = answer.text().await.unwrap_or_default();
                text.truncate(text.floor_char_boundary(300));
                Err(Error::Refused(format!("{status} {text}")))
            }
        }
    }
}

/// Speaks for one attempt, with its token.
#[derive(Clone)]
pub(crate) struct AttemptApi {
    api: Api,
    id: Uuid,
    token: String,
}

impl AttemptApi {
    /// Answers when the build is to be cancelled, or after `wait_secs`.
    pub(crate) async fn heartbeat(&self, wait_secs: u64) -> Result<HeartbeatReply, Error> {
        self.call("heartbeat", &Heartbeat { wait_secs }).await
    }

    pub(crate) async fn records(&self, batch: &RecordBatch) -> Result<RecordsReply, Error> {
        self.call("records", batch).await
    }

    pub(crate) async fn finish(&self, finish: &Finish) -> Result<FinishReply, Error> {
        self.call("finish", finish).await
    }

    async fn call<T: DeserializeOwned>(&self, what: &str, body: &impl Serialize) -> Result<T, Error> {
        let path = format!("attempts/{}/{what}", self.id);
        let patience = Duration::from_secs(30);
        match self.api.post(&path, &self.token, body, patience).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(Error::Away("an empty answer".to_owned())),
            // The attempt's token ends with the attempt.
            Err(Error::Refused(text)) if text.starts_with("401") || text.starts_with("404") => Err(Error::Gone),
            Err(error) => Err(error),
        }
    }
}

fn retryable(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}

fn away(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    Error::Away(text)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
