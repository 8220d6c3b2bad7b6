//! One signature against one digest: what was signed must name it, and whose key it was decides what it is worth here.

use super::Place;
use super::signature::{ANNOTATION, PAYLOAD_TYPE};
use super::signing;
use crate::db::{self, rows};
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
    /// A key of ours made it for another repository: `evil/app`, or empty when it names none.
    Elsewhere(String),
    /// Id of the key.
    Revoked(Uuid),
    /// Id of the key.
    Verified(Uuid),
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

/// What a signature is worth at `place`, by the key of `keys` that made it. `None` when none of them did.
pub(super) fn by_keys(place: &Place, keys: &[rows::SigningKey], claim: &Claim) -> Option<Finding> {
    let Claim::Signed { message, signature, repository } = claim else { return None };
    let key = keys.iter().find(|key| signing::verifies(&key.public_pem, message, signature))?;
    if key.revoked_at.is_some() {
        return Some(Finding::Revoked(key.id));
    }
    let is_own = key.namespace_id == Some(place.namespace_id);
    let is_instances = key.scope == db::keys::INSTANCE;
    Some(match repository {
        Some(repository) if *repository == place.name && (is_own || is_instances) => Finding::Verified(key.id),
        Some(repository) => Finding::Elsewhere(repository.clone()),
        // A bundle names no repository. What the instance's key signed always did.
        None if is_own => Finding::Verified(key.id),
        None => Finding::Elsewhere(String::new()),
    })
}

/// The namespace whose key may have made it, when that is another one.
pub(super) fn other_namespace<'a>(place: &Place, claim: &'a Claim) -> Option<&'a str> {
    let Claim::Signed { repository: Some(repository), .. } = claim else { return None };
    let namespace = repository.split('/').next()?;
    (namespace != place.namespace()).then_some(namespace)
}

/// Simple signing: the signature is an annotation, the payload a blob.
fn read_payload(payload: &[u8], layer: &Value, digest: &Digest) -> Claim {
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
fn read_bundle(bundle: &[u8], _: &Value, digest: &Digest) -> Claim {
    let unreadable = || Claim::Unreadable("the signature's bundle cannot be read".into());
    let Ok(value) = serde_json::from_slice::<Value>(bundle) else { return unreadable() };
    let envelope = &value["dsseEnvelope"];
    let payload = envelope["payload"].as_str().and_then(|p| STANDARD.decode(p).ok());
    let (Some(payload), Some(kind)) = (payload, envelope["payloadType"].as_str()) else { return unreadable() };
    let Ok(statement) = serde_json::from_slice::<Value>(&payload) else { return unreadable() };
    let names_it = statement["subject"]
        .as_array()
        .is_some_and(|subjects| subjects.iter().any(|s| s["digest"]["sha256"] == digest.hex()));
    if !names_it || statement["predicateType"] != COSIGN_PREDICATE {
        return Claim::Nothing;
    }
    let Some(signature) = envelope["signatures"][0]["sig"].as_str() else { return unreadable() };
    // DSSE v1, pre-authentication encoding.
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    Claim::Signed { message, signature: signature.to_owned(), repository: None }
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
