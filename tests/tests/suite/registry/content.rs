//! Blobs and manifests to push.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(super) fn digest(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A digest of bytes that exist nowhere.
pub(super) fn unknown_digest() -> String {
    digest(unique_bytes())
}

/// A few bytes that no other test has.
pub(super) fn unique_bytes() -> Vec<u8> {
    Uuid::new_v4().to_string().into_bytes()
}

/// `size` bytes that no other test has and gzip cannot shrink to nothing.
pub(super) fn many_bytes(size: usize) -> Vec<u8> {
    let seed = u64::from_le_bytes(Uuid::new_v4().as_bytes()[..8].try_into().expect("8 of 16 bytes"));
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

pub(super) fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// An OCI image manifest of one config and these layers.
pub(super) fn image(config: &[u8], layers: &[&[u8]]) -> Value {
    let layers: Vec<_> = layers.iter().map(|l| descriptor(OCI_LAYER, &digest(l), l.len())).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, &digest(config), config.len()),
        "layers": layers,
    })
}

/// An OCI index of these manifests.
pub(super) fn index(manifests: &[Value]) -> Value {
    let child = |m: &Value| {
        let body = m.to_string();
        descriptor(OCI_MANIFEST, &digest(&body), body.len())
    };
    let manifests: Vec<_> = manifests.iter().map(child).collect();
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests })
}

/// The claims of a bearer, whoever signed it.
pub(super) fn decode_claims(bearer: &str) -> Value {
    let payload = bearer.split('.').nth(1).expect("a bearer has three parts");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).expect("a payload is base64url");
    serde_json::from_slice(&bytes).expect("a payload is JSON")
}
