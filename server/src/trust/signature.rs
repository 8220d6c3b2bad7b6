//! A signature as cosign stores it: one manifest, tagged `sha256-<hex>.sig`, and a referrer of what it signs.
//!
//! ```text
//! manifest ── subject ──► the image
//!    ├── config          an image config that lists the layers
//!    └── layers[n]       a payload that names the image's digest; the signature is an annotation of its descriptor
//! ```
//! Further signatures are further layers, so none is lost: what is stored says which manifest it goes on from, and is
//! refused when the tag names another one by then. While the namespace's key changes there are two of ours, by the key
//! that comes and by the one that `cosign.pub` still answers with.

use super::accessories;
use super::keys;
use super::signing::{self, Signer};
use crate::app::App;
use crate::db::manifests::Facts;
use crate::db::{self, Tx, rows};
use crate::error::{Context, Error, Result};
use crate::names::{Digest, TagName};
use crate::policy::Principal;
use crate::registry::blobs::{OwnBlob, store_own};
use crate::registry::manifests;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) const ARTIFACT_TYPE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(super) const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// So many signatures of one image are not made in good faith; cosign 2 stops reading at 1,000.
const MOST_LAYERS: usize = 200;

/// A signature whose bytes are stored and whose rows are not: `store` writes these beside the tag moves.
pub struct Signed {
    tag: TagName,
    /// The keys that signed.
    keys: Vec<Uuid>,
    /// The signature manifest that it goes on from, if there was one.
    seen: Option<String>,
    /// Nothing when that manifest holds our signature already.
    objects: Option<Objects>,
}

struct Objects {
    blobs: Vec<OwnBlob>,
    manifest: Bytes,
}

/// What became of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Stored {
    Yes,
    /// Somebody changed the image's signatures or the namespace's key since they were read: sign again.
    Outdated,
}

/// The tag under which cosign looks for signatures of a digest.
pub(super) fn tag_of(digest: &Digest) -> TagName {
    format!("sha256-{}.sig", digest.hex()).parse().expect("hex digits make a tag")
}

/// Signs a manifest of a repository with its namespace's key. `name` is `acme/web`.
pub async fn sign(app: &App, repository: &rows::Repository, name: &str, digest: &Digest) -> Result<Signed> {
    let subject = manifests::find_facts(app, repository.id, digest).await?;
    let subject = subject.ok_or_else(|| Error::not_found(format!("manifest `{digest}`")))?;
    let signers = keys::signing_now(app, repository.namespace_id).await?;
    let payload = payload(&format!("{}/{name}", app.config.public_host()), digest);
    let tag = tag_of(digest);
    let (seen, mut layers) = layers_of(app, repository, &tag).await?;
    let payload_digest = Digest::of(&payload);
    let is_of = |layer: &Value, key: &rows::SigningKey| {
        let signature = layer["annotations"][ANNOTATION].as_str().unwrap_or_default();
        layer["digest"] == payload_digest.as_str() && signing::verifies(&key.public_pem, &payload, signature)
    };
    let ids = signers.iter().map(|(key, _)| key.id).collect();
    // The same image built again: its signature is there.
    let lacks = |(key, _): &&(rows::SigningKey, Signer)| !layers.iter().any(|layer| is_of(layer, key));
    let missing: Vec<&Signer> = signers.iter().filter(lacks).map(|(_, signer)| signer).collect();
    if missing.is_empty() {
        return Ok(Signed { tag, keys: ids, seen, objects: None });
    }
    // The one that signs longest comes last, where it is found first.
    for signer in missing.into_iter().rev() {
        make_room(&mut layers, payload_digest.as_str());
        layers.push(json!({
            "mediaType": PAYLOAD_TYPE,
            "size": payload.len(),
            "digest": payload_digest.as_str(),
            "annotations": {ANNOTATION: signer.sign(&payload)?},
        }));
    }
    let config = config(&layers);
    let manifest = manifest(&config, &layers, &subject);
    let blobs = vec![store_own(app, config).await?, store_own(app, payload).await?];
    Ok(Signed { tag, keys: ids, seen, objects: Some(Objects { blobs, manifest }) })
}

/// Drops the oldest signatures of others where there are too many: they never keep ours out.
fn make_room(layers: &mut Vec<Value>, ours: &str) {
    while layers.len() >= MOST_LAYERS {
        let oldest = layers.iter().position(|layer| layer["digest"] != ours).unwrap_or_default();
        layers.remove(oldest);
    }
}

/// Writes a signature's rows; the caller moves the tags in the same transaction, or drops it when the answer is `Outdated`.
pub async fn store(
    app: &App,
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    signed: &Signed,
) -> Result<Stored> {
    // Whoever moves a tag holds this lock.
    db::repositories::lock(tx, repository.id).await?;
    let present = db::tags::find(tx, repository.id, signed.tag.as_str()).await?.map(|tag| tag.digest);
    // Whoever changes the key waits for this transaction, and then signs again what it wrote.
    if present != signed.seen || keys::hold(tx, repository.namespace_id).await? != signed.keys {
        return Ok(Stored::Outdated);
    }
    if let Some(Objects { blobs, manifest }) = &signed.objects {
        manifests::insert_own(app, tx, by, repository, blobs, manifest, Some(&signed.tag)).await?;
    }
    Ok(Stored::Yes)
}

/// The signatures that there are already, and the digest of the manifest that holds them.
async fn layers_of(app: &App, repository: &rows::Repository, tag: &TagName) -> Result<(Option<String>, Vec<Value>)> {
    let Some(tag) = db::tags::find(&app.db, repository.id, tag.as_str()).await? else { return Ok((None, Vec::new())) };
    let found = manifests::find(app, repository.id, &Digest::trusted(&tag.digest)).await?;
    let Some(found) = found else { return Ok((Some(tag.digest), Vec::new())) };
    let manifest: Value = serde_json::from_slice(&found.body).context("reading the signatures that there are")?;
    let mut layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    // An image may be there, put by hand before such tags were for signatures only.
    layers.retain(|layer| layer["mediaType"].as_str().is_some_and(accessories::is_of_cosign));
    Ok((Some(tag.digest), layers))
}

/// Simple signing, as cosign writes it.
fn payload(reference: &str, digest: &Digest) -> Bytes {
    let value = json!({
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest.as_str()},
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    Bytes::from(value.to_string())
}

fn config(layers: &[Value]) -> Bytes {
    let diff_ids: Vec<_> = layers.iter().map(|l| l["digest"].clone()).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({"created": "0001-01-01T00:00:00Z"})).collect();
    let value = json!({
        "architecture": "",
        "created": "0001-01-01T00:00:00Z",
        "history": history,
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "config": {},
    });
    Bytes::from(value.to_string())
}

fn manifest(config: &Bytes, layers: &[Value], subject: &Facts) -> Bytes {
    let value = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": config.len(), "digest": Digest::of(config).as_str()},
        "layers": layers,
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size_bytes},
    });
    Bytes::from(value.to_string())
}
