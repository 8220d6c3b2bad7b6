//! git's smart HTTP with a forge, read only: asks for a builder, with the credential that stays here.
//!
//! Nothing is stored: a question goes out and its answer comes in as streams. A redirect is followed within the forge's
//! origin only, and the next question goes where it led, as git itself does.

use super::refusals;
use crate::config::Config;
use crate::error::{Context as _, ForgeError, Result};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, RequestBuilder, Response};
use slipway_protocol::HeadersSecret;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

/// What comes after the address of a repository, and is asked first.
const REFS: &str = "/info/refs";
/// The one service that reads.
pub const UPLOAD_PACK: &str = "git-upload-pack";
/// A rename of the owner and one of the repository are two.
const MOST_REDIRECTS: usize = 5;
/// A forge that counts objects says so every few seconds.
const SILENCE: Duration = Duration::from_mins(1);
/// Of what a forge says when it refuses.
const MOST_WORDS: usize = 2 << 10;

/// The connections to forges for git.
#[derive(Default)]
pub struct Git {
    ca_files: Vec<PathBuf>,
    client: OnceLock<Client>,
}

/// One code repository at a forge, with the right to read it.
pub struct Remote {
    client: Client,
    forge: Url,
    authorization: Option<HeadersSecret>,
}

/// What a builder's git said about its question; the rest stays here.
#[derive(Debug, Default)]
pub struct Question {
    /// `Git-Protocol`: which version it speaks.
    pub protocol: Option<String>,
    pub agent: Option<String>,
    /// Of the question's body.
    pub encoding: Option<String>,
    pub length: Option<u64>,
}

/// What the forge says.
pub enum Answer {
    Good {
        /// `Content-Encoding`, where it has one.
        encoding: Option<String>,
        body: Pieces,
    },
    /// Its status, and its words if they are plain text.
    Refusal { status: u16, words: String },
}

pub type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

type Outcome<T> = std::result::Result<T, ForgeError>;

impl Git {
    /// Trusts the authorities of the system and those of the operator.
    pub fn new(config: &Config) -> Self {
        Self { ca_files: config.builds.ca_files.clone(), client: OnceLock::new() }
    }

    /// A repository of the forge at `forge_url`; `authorization` is the value of a header.
    pub fn remote(&self, forge_url: &str, authorization: Option<HeadersSecret>) -> Result<Remote> {
        let forge = Url::parse(forge_url).context("the forge's address")?;
        Ok(Remote { client: self.client()?, forge, authorization })
    }

    // When it is first needed: reading the system's authorities takes a while.
    fn client(&self) -> Result<Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let mut builder =
            Client::builder().connect_timeout(Duration::from_secs(10)).read_timeout(SILENCE).redirect(Policy::none());
        for file in &self.ca_files {
            let pem = std::fs::read(file).context(&format!("reading {}", file.display()))?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem).context("reading authorities")? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().context("making the HTTP client for git")?;
        Ok(self.client.get_or_init(|| client).clone())
    }
}

impl Remote {
    /// The refs of the repository at `base`, and where it is now.
    pub async fn refs(&self, base: &str, question: &Question) -> Outcome<(String, Answer)> {
        let mut base = base.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let url = format!("{base}{REFS}?service={UPLOAD_PACK}");
            let response = send(self.request(self.client.get(&url), question)).await?;
            if !response.status().is_redirection() {
                let answer = self.answer(response, "application/x-git-upload-pack-advertisement").await?;
                return Ok((base, answer));
            }
            base = self.moved(&url, &response)?;
        }
        Err(ForgeError::Unreachable("it sends from one address to the next".into()))
    }

    /// Asks for objects at an address that `refs` found.
    pub async fn pack(&self, base: &str, question: &Question, body: Body) -> Outcome<Answer> {
        let request = self.client.post(format!("{base}/{UPLOAD_PACK}"));
        let mut request = self
            .request(request, question)
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
            .header(ACCEPT, "application/x-git-upload-pack-result");
        if let Some(encoding) = &question.encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        if let Some(length) = question.length {
            request = request.header(CONTENT_LENGTH, length);
        }
        let response = send(request.body(body)).await?;
        self.answer(response, "application/x-git-upload-pack-result").await
    }

    fn request(&self, request: RequestBuilder, question: &Question) -> RequestBuilder {
        // Forges know git by this name.
        let agent = question.agent.as_deref().filter(|agent| agent.starts_with("git/")).unwrap_or("git/slipway");
        let mut request = request.header(USER_AGENT, agent);
        if let Some(protocol) = &question.protocol {
            request = request.header("git-protocol", protocol);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, &authorization.0);
        }
        request
    }

    /// Where the repository is that a redirect of its refs leads to. The credential goes to the forge's origin only.
    fn moved(&self, from: &str, response: &Response) -> Outcome<String> {
        let unusable =
            || ForgeError::Unreachable("it sends the source's readers to an address that is not its own".into());
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let to = Url::parse(from).ok().zip(location).and_then(|(from, to)| from.join(to).ok()).ok_or_else(unusable)?;
        let ours = to.origin() == self.forge.origin() && to.username().is_empty() && to.password().is_none();
        let base = to.path().strip_suffix(REFS).filter(|_| ours).ok_or_else(unusable)?;
        Ok(format!("{}{base}", to.origin().ascii_serialization()))
    }

    async fn answer(&self, response: Response, kind: &str) -> Outcome<Answer> {
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is =
            |kind: &str| text(CONTENT_TYPE).is_some_and(|t| t.split(';').next().unwrap_or_default().trim() == kind);
        let status = response.status();
        if status.is_redirection() || (status.is_success() && !(status == StatusCode::OK && is(kind))) {
            return Err(ForgeError::Unreachable("its answer is not that of git's smart HTTP".into()));
        }
        if status.is_success() {
            let encoding = text(CONTENT_ENCODING);
            let body = response.bytes_stream().map_err(|e| io::Error::other(innermost(&e)));
            return Ok(Answer::Good { encoding, body: Box::pin(body) });
        }
        let (is_text, headers) = (is("text/plain"), response.headers().clone());
        let body = beginning(response).await;
        if let limited @ ForgeError::RateLimited(_) = refusals::meaning(status, &headers, &body) {
            return Err(limited);
        }
        let words =
            if is_text { self.without_credential(&body) } else { format!("the forge answered {}", status.as_u16()) };
        Ok(Answer::Refusal { status: status.as_u16(), words })
    }

    /// Whatever a forge repeats of the question, the builder reads no credential.
    fn without_credential(&self, words: &[u8]) -> String {
        let words = String::from_utf8_lossy(words);
        let secret = self.authorization.as_ref().and_then(|a| a.0.split_once(' ')).map(|(_, value)| value);
        let words = secret.map_or_else(|| words.to_string(), |secret| words.replace(secret, "***"));
        words.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
    }
}

async fn send(request: RequestBuilder) -> Outcome<Response> {
    request.send().await.map_err(|e| ForgeError::Unreachable(innermost(&e)))
}

/// As much of a refusal as is told.
async fn beginning(response: Response) -> Vec<u8> {
    let mut body = response.bytes_stream();
    let mut kept = Vec::new();
    while let Some(Ok(piece)) = body.next().await {
        kept.extend_from_slice(&piece[..piece.len().min(MOST_WORDS - kept.len())]);
        if kept.len() == MOST_WORDS {
            break;
        }
    }
    kept
}

/// The cause alone: what is around it repeats the address.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string().lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests;
