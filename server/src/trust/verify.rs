//! Verification by the server, of any signature it finds: cosign's tag, referrers, and sigstore bundles with a plain key.
//!
//! Only what was checked against a key of ours is *verified*. A signature for another digest counts as none.

use super::signature::{ANNOTATION, ARTIFACT_TYPE, PAYLOAD_TYPE, tag_of};
use super::signing;
use crate::app::App;
use crate::clock::Millis;
use crate::db::{self, rows};
use crate::error::Result;
use crate::names::Digest;
use crate::registry::{blobs, manifests};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const COSIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
// Anybody who may push can add signatures; looking at them stays cheap.
const MOST_MANIFESTS: usize = 20;
const MOST_LAYERS: usize = 200;
const MOST_PAYLOAD: usize = 64 << 10;
const MOST_BUNDLE: usize = 1 << 20;

/// What is known about the signatures of one manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: VerdictState,
    /// The key that it was verified with.
    pub key: Option<KeyName>,
    /// When it was checked.
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerdictState {
    Verified,
    /// There are signatures, none by a key that we know.
    Untrusted,
    NotSigned,
    /// Something is there but could not be looked at; the text says why.
    CouldNotCheck(String),
}

/// Checks a payload beside its layer against a digest and our keys.
type Check = fn(&[u8], &Value, &Digest, &[rows::SigningKey]) -> Finding;

/// How people tell keys apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// `the key of registry.example.com`
    pub name: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

/// What one signature turned out to be; a greater one wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Nothing,
    Unreadable(String),
    Untrusted,
    /// Index of the key.
    Verified(usize),
}

/// Looks for signatures of a manifest and checks them.
pub async fn verify(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Verdict> {
    let keys = db::keys::all(&app.db).await?;
    let mut best = Finding::Nothing;
    for manifest in candidates(app, repository_id, digest).await? {
        if matches!(best, Finding::Verified(_)) {
            break;
        }
        best = best.max(look(app, repository_id, &manifest, digest, &keys).await?);
    }
    let (state, key) = match best {
        Finding::Nothing => (VerdictState::NotSigned, None),
        Finding::Unreadable(why) => (VerdictState::CouldNotCheck(why), None),
        Finding::Untrusted => (VerdictState::Untrusted, None),
        Finding::Verified(n) => (VerdictState::Verified, keys.get(n).map(|key| name_of(app, key))),
    };
    Ok(Verdict { state, key, at: app.clock.now() })
}

fn name_of(app: &App, key: &rows::SigningKey) -> KeyName {
    let age = if key.retired_at.is_some() { "a retired key" } else { "the key" };
    KeyName { name: format!("{age} of {}", app.config.public_host()), fingerprint: key.fingerprint.clone() }
}

/// Manifests that may hold signatures, the one with cosign's tag first.
async fn candidates(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Vec<rows::Manifest>> {
    let mut found = Vec::new();
    if let Some(tag) = db::tags::find(&app.db, repository_id, tag_of(digest).as_str()).await? {
        found.extend(manifests::find(app, repository_id, &Digest::trusted(&tag.digest)).await?);
    }
    for referrer in manifests::referrers(app, repository_id, digest).await? {
        let is_signature = referrer.artifact_type.as_deref().is_some_and(|t| t == ARTIFACT_TYPE || t == BUNDLE_TYPE);
        if is_signature && !found.iter().any(|f| f.digest == referrer.digest) {
            found.push(referrer);
        }
    }
    found.truncate(MOST_MANIFESTS);
    Ok(found)
}

async fn look(
    app: &App,
    repository_id: Uuid,
    manifest: &rows::Manifest,
    digest: &Digest,
    keys: &[rows::SigningKey],
) -> Result<Finding> {
    let Ok(value) = serde_json::from_slice::<Value>(&manifest.body) else {
        return Ok(Finding::Unreadable("the signature's manifest cannot be read".into()));
    };
    let mut best = Finding::Nothing;
    // Newest last: our own signature is mostly the last one.
    for layer in value["layers"].as_array().into_iter().flatten().rev().take(MOST_LAYERS) {
        let (limit, check): (_, Check) = match layer["mediaType"].as_str() {
            Some(PAYLOAD_TYPE) => (MOST_PAYLOAD, check_payload),
            Some(BUNDLE_TYPE) => (MOST_BUNDLE, check_bundle),
            _ => continue,
        };
        let Some(blob) = layer["digest"].as_str().and_then(|d| d.parse().ok()) else { continue };
        let finding = match blobs::read_small(app, repository_id, &blob, limit).await? {
            Some(bytes) => check(&bytes, layer, digest, keys),
            None => Finding::Unreadable("what was signed is absent or too large".into()),
        };
        best = best.max(finding);
        if matches!(best, Finding::Verified(_)) {
            break;
        }
    }
    Ok(best)
}

/// Which key made a signature over a message that names the digest.
fn by_which(keys: &[rows::SigningKey], message: &[u8], signature: &str) -> Finding {
    let key = keys.iter().position(|key| signing::verifies(&key.public_pem, message, signature));
    key.map_or(Finding::Untrusted, Finding::Verified)
}

/// Simple signing: the signature is an annotation, the payload a blob.
fn check_payload(payload: &[u8], layer: &Value, digest: &Digest, keys: &[rows::SigningKey]) -> Finding {
    let Ok(value) = serde_json::from_slice::<Value>(payload) else {
        return Finding::Unreadable("the signed payload cannot be read".into());
    };
    let critical = &value["critical"];
    let names_it = critical["type"] == "cosign container image signature"
        && critical["image"]["docker-manifest-digest"] == digest.as_str();
    match layer["annotations"][ANNOTATION].as_str() {
        Some(signature) if names_it => by_which(keys, payload, signature),
        _ => Finding::Nothing,
    }
}

/// A sigstore bundle with a DSSE envelope. An attestation is no signature: the predicate must be cosign's own.
fn check_bundle(bundle: &[u8], _: &Value, digest: &Digest, keys: &[rows::SigningKey]) -> Finding {
    let unreadable = || Finding::Unreadable("the signature's bundle cannot be read".into());
    let Ok(value) = serde_json::from_slice::<Value>(bundle) else { return unreadable() };
    let envelope = &value["dsseEnvelope"];
    let payload = envelope["payload"].as_str().and_then(|p| STANDARD.decode(p).ok());
    let (Some(payload), Some(kind)) = (payload, envelope["payloadType"].as_str()) else { return unreadable() };
    let Ok(statement) = serde_json::from_slice::<Value>(&payload) else { return unreadable() };
    let names_it = statement["subject"]
        .as_array()
        .is_some_and(|subjects| subjects.iter().any(|s| s["digest"]["sha256"] == digest.hex()));
    if !names_it || statement["predicateType"] != COSIGN_PREDICATE {
        return Finding::Nothing;
    }
    let Some(signature) = envelope["signatures"][0]["sig"].as_str() else { return unreadable() };
    // DSSE v1, pre-authentication encoding.
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    by_which(keys, &message, signature)
}
