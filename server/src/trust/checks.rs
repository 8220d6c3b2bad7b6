//! One signature against one digest: what was signed must name it, and a key of ours must have signed.

use super::signature::{ANNOTATION, PAYLOAD_TYPE};
use super::signing;
use crate::db::rows;
use crate::names::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

pub(super) const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const COSIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
// Anybody who may push can add signatures; looking at them stays cheap.
const MOST_PAYLOAD: usize = 64 << 10;
const MOST_BUNDLE: usize = 1 << 20;

/// What one signature turned out to be; a greater one wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    Nothing,
    Unreadable(String),
    Untrusted,
    /// Id of the key.
    Verified(Uuid),
}

/// Checks a payload beside its layer against a digest and our keys.
pub(super) type Check = fn(&[u8], &Value, &Digest, &[rows::SigningKey]) -> Finding;

/// How a layer of this type is checked, and how large its blob may be; `None` for what is no signature.
pub(super) fn of_type(media_type: &str) -> Option<(usize, Check)> {
    match media_type {
        PAYLOAD_TYPE => Some((MOST_PAYLOAD, check_payload)),
        BUNDLE_TYPE => Some((MOST_BUNDLE, check_bundle)),
        _ => None,
    }
}

/// Which key made a signature over a message that names the digest.
fn by_which(keys: &[rows::SigningKey], message: &[u8], signature: &str) -> Finding {
    let key = keys.iter().find(|key| signing::verifies(&key.public_pem, message, signature));
    key.map_or(Finding::Untrusted, |key| Finding::Verified(key.id))
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
