//! Signatures against one digest: what was signed must name it, and whose key it was decides what it is worth here.

use super::Place;
use super::signature::{ANNOTATION, PAYLOAD_TYPE};
use super::signing::Verifier;
use crate::db::{self, rows};
use crate::error::{Context, Result};
use crate::names::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

pub(super) const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
pub(super) const COSIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
// Anybody who may push can add signatures; looking at them stays cheap.
const MOST_PAYLOAD: usize = 64 << 10;
const MOST_BUNDLE: usize = 1 << 20;

/// What one signature turned out to be; a greater one wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    Nothing,
    Unreadable(String),
    Untrusted,
    /// A key of ours made it for another repository: `evil/app`, or empty when it names none.
    Elsewhere(String),
    /// Id of the key.
    Revoked(Uuid),
    /// Id of the key.
    Verified(Uuid),
}

impl Finding {
    /// No key of ours made any signature that is there.
    pub(super) fn is_unsigned(&self) -> bool {
        matches!(self, Self::Nothing | Self::Untrusted | Self::Elsewhere(_))
    }
}

/// What a signature says, before anybody looked for its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is none for this digest.
    Nothing,
    Unreadable(String),
    Signed {
        message: Vec<u8>,
        signature: String,
        /// The repository that the payload names, without its host.
        repository: Option<String>,
    },
}

/// Reads a payload beside its layer, against a digest.
pub(super) type Read = fn(&[u8], &Value, &Digest) -> Claim;

/// How a layer of this type is read, and how large its blob may be; `None` for what is no signature.
pub(super) fn of_type(media_type: &str) -> Option<(usize, Read)> {
    match media_type {
        PAYLOAD_TYPE => Some((MOST_PAYLOAD, read_payload)),
        BUNDLE_TYPE => Some((MOST_BUNDLE, read_bundle)),
        _ => None,
    }
}

/// A key that signatures are held against, read once.
pub(super) struct Key {
    pub(super) row: rows::SigningKey,
    verifier: Option<Verifier>,
}

/// Keys in the order in which they are tried: those first that can verify something.
pub(super) fn in_order(mut rows: Vec<rows::SigningKey>) -> Arc<[Key]> {
    rows.sort_by_key(|row| row.revoked_at.is_some());
    rows.into_iter().map(|row| Key { verifier: Verifier::new(&row.public_pem), row }).collect()
}

/// How many signatures to hold against keys, at most, and when to stop.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// One of them verifies the image.
    Verified,
    All,
}

/// What came of some claims.
pub(super) struct Weighed {
    pub(super) claims: Vec<Claim>,
    /// By claim; `None` where no key made it, or where it was not come to.
    pub(super) findings: Vec<Option<Finding>>,
    /// Signatures that were held against a key.
    pub(super) tried: usize,
    pub(super) is_whole: bool,
}

/// Holds claims against keys, at most `most` times: one key against all claims, then the next, as what is kept has a
/// signature of the key that signs now. Each costs a tenth of a millisecond, and blocks.
pub(super) async fn weigh(
    place: &Place,
    keys: &Arc<[Key]>,
    claims: Vec<Claim>,
    most: usize,
    until: Until,
) -> Result<Weighed> {
    let (place, keys) = (place.clone(), keys.clone());
    let work = move || weigh_now(&place, &keys, claims, most, until);
    tokio::task::spawn_blocking(work).await.context("verifying signatures")
}

fn weigh_now(place: &Place, keys: &[Key], claims: Vec<Claim>, most: usize, until: Until) -> Weighed {
    let mut findings = vec![None; claims.len()];
    let (mut tried, mut is_whole) = (0, true);
    'all: for key in keys {
        let Some(verifier) = &key.verifier else { continue };
        for (claim, finding) in claims.iter().zip(&mut findings) {
            let Claim::Signed { message, signature, .. } = claim else { continue };
            if finding.is_some() {
                continue;
            }
            if tried == most {
                is_whole = false;
                break 'all;
            }
            tried += 1;
            if verifier.verifies(message, signature) {
                let found = worth(place, &key.row, claim);
                let is_enough = matches!((&found, until), (Finding::Verified(_), Until::Verified));
                *finding = Some(found);
                if is_enough {
                    break 'all;
                }
            }
        }
    }
    Weighed { claims, findings, tried, is_whole }
}

/// What a signature of this key is worth at `place`.
fn worth(place: &Place, key: &rows::SigningKey, claim: &Claim) -> Finding {
    if key.revoked_at.is_some() {
        return Finding::Revoked(key.id);
    }
    let is_own = key.namespace_id == Some(place.namespace_id);
    let is_instances = key.scope == db::keys::INSTANCE;
    let repository = if let Claim::Signed { repository, .. } = claim { repository.as_ref() } else { None };
    match repository {
        Some(repository) if *repository == place.name && (is_own || is_instances) => Finding::Verified(key.id),
        Some(repository) => Finding::Elsewhere(repository.clone()),
        // A bundle may name none. What the instance's key signed always did.
        None if is_own => Finding::Verified(key.id),
        None => Finding::Elsewhere(String::new()),
    }
}

/// The namespace whose key may have made it, when that is another one.
pub(super) fn other_namespace<'a>(place: &Place, claim: &'a Claim) -> Option<&'a str> {
    let Claim::Signed { repository: Some(repository), .. } = claim else { return None };
    let namespace = repository.split('/').next()?;
    (namespace != place.namespace()).then_some(namespace)
}

/// Simple signing: the signature is an annotation, the payload a blob.
pub(super) fn read_payload(payload: &[u8], layer: &Value, digest: &Digest) -> Claim {
    let Ok(value) = serde_json::from_slice::<Value>(payload) else {
        return Claim::Unreadable("the signed payload cannot be read".into());
    };
    let critical = &value["critical"];
    let names_it = critical["type"] == "cosign container image signature"
        && critical["image"]["docker-manifest-digest"] == digest.as_str();
    match layer["annotations"][ANNOTATION].as_str() {
        Some(signature) if names_it => Claim::Signed {
            message: payload.to_vec(),
            signature: signature.to_owned(),
            repository: critical["identity"]["docker-reference"].as_str().and_then(path_of),
        },
        _ => Claim::Nothing,
    }
}

/// `acme/web` of `registry.example.com/acme/web:1@sha256:…`. What we sign has a host, whatever it looks like: without
/// one a namespace of the host's name would be taken for it.
fn path_of(reference: &str) -> Option<String> {
    let reference = reference.split('@').next().unwrap_or_default();
    if reference.is_empty() {
        return None;
    }
    let path = reference.split_once('/').map_or("", |(_host, path)| path);
    let (parents, last) = path.rsplit_once('/').map_or(("", path), |(parents, last)| (parents, last));
    let last = last.split(':').next().unwrap_or_default();
    Some(if parents.is_empty() { last.to_owned() } else { format!("{parents}/{last}") })
}

/// A sigstore bundle with a DSSE envelope. An attestation is no signature: the predicate must be cosign's own.
pub(super) fn read_bundle(bundle: &[u8], _: &Value, digest: &Digest) -> Claim {
    let unreadable = || Claim::Unreadable("the signature's bundle cannot be read".into());
    let Ok(value) = serde_json::from_slice::<Value>(bundle) else { return unreadable() };
    let envelope = &value["dsseEnvelope"];
    let payload = envelope["payload"].as_str().and_then(|p| STANDARD.decode(p).ok());
    let (Some(payload), Some(kind)) = (payload, envelope["payloadType"].as_str()) else { return unreadable() };
    let Ok(statement) = serde_json::from_slice::<Value>(&payload) else { return unreadable() };
    let subjects = statement["subject"].as_array().map_or(&[][..], Vec::as_slice);
    let subject = subjects.iter().find(|subject| subject["digest"][digest.algorithm().as_str()] == digest.hex());
    let Some(subject) = subject.filter(|_| statement["predicateType"] == COSIGN_PREDICATE) else {
        return Claim::Nothing;
    };
    let Some(signature) = envelope["signatures"][0]["sig"].as_str() else { return unreadable() };
    Claim::Signed {
        message: envelope_message(kind, &payload),
        signature: signature.to_owned(),
        // Ours name it; cosign's own do not.
        repository: subject["name"].as_str().and_then(path_of),
    }
}

/// DSSE v1, pre-authentication encoding.
pub(super) fn envelope_message(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn a_reference_is_compared_without_its_host() {
        for (reference, expected) in [
            ("localhost:8080/acme/web", Some("acme/web")),
            ("registry/acme/web", Some("acme/web")),
            ("registry.example.com/acme/web/api:v1", Some("acme/web/api")),
            ("registry.example.com:443/acme/web@sha256:00", Some("acme/web")),
            // A namespace of the host's name is another repository than the one behind the host.
            ("registry/registry/acme/web", Some("registry/acme/web")),
            ("acme/web", Some("web")),
            ("web", Some("")),
            ("", None),
        ] {
            assert_eq!(path_of(reference).as_deref(), expected, "{reference}");
        }
    }
}
