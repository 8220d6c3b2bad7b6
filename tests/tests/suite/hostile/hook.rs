//! Deliveries as GitHub sends them, made by hand.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    browser::{Browser, Page},
    site::{Connected, Site},
};

/// One delivery; each part can be made wrong.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) event: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: Option<String>,
}

impl Delivery {
    /// A right one: a push of `commit` to `ref_name`.
    pub(crate) fn push(to: &Connected, ref_name: &str, commit: &str) -> Self {
        Self::of(to, push_payload(to.repo.id(), ref_name, commit).to_string())
    }

    /// This body, rightly signed, as a push.
    pub(crate) fn of(to: &Connected, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            path: format!("/hooks/github/{}", to.source_id),
            event: "push".to_owned(),
            content_type: "application/json".to_owned(),
            signature: Some(sign(&to.secret, &body)),
            body,
        }
    }

    pub(crate) fn signed(mut self, signature: Option<&str>) -> Self {
        self.signature = signature.map(str::to_owned);
        self
    }

    pub(crate) async fn send(self, site: &Site) -> Page {
        self.send_by(&site.browser()).await
    }

    pub(crate) async fn send_by(self, sender: &Browser) -> Page {
        let request = sender
            .request(Method::POST, &self.path)
            .header("content-type", &self.content_type)
            .header("x-github-event", &self.event)
            .header("x-github-delivery", uuid::Uuid::new_v4().to_string());
        let request = match &self.signature {
            Some(signature) => request.header("x-hub-signature-256", signature),
            None => request,
        };
        sender.send(request.body(self.body)).await
    }
}

/// The parts of GitHub's push event that matter.
pub(crate) fn push_payload(repository_id: u64, ref_name: &str, commit: &str) -> Value {
    json!({
        "ref": ref_name,
        "before": "0".repeat(40),
        "after": commit,
        "created": true,
        "deleted": false,
        "head_commit": {
            "id": commit,
            "message": "Change something",
            "timestamp": "2026-11-20T18:40:00Z",
            "author": { "name": "Mona", "email": "mona@example.com" },
        },
        "repository": { "id": repository_id, "default_branch": "main" },
        "pusher": { "name": "mona" },
    })
}

/// `sha256=…`, HMAC-SHA-256 as in RFC 2104.
pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    let mut key = [0u8; 64];
    if secret.len() > key.len() {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret.as_bytes());
    }
    let pad = |byte: u8| key.map(|k| k ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    format!("sha256={}", hex::encode(outer))
}
