//! A signature as cosign stores it: one manifest, tagged `sha256-<hex>.sig`, and a referrer of what it signs.
//!
//! ```text
//! manifest ── subject ──► the image
//!    ├── config          an image config that lists the layers
//!    └── layers[n]       a payload that names the image's digest; the signature is an annotation of its descriptor
//! ```
//! Further signatures are further layers, so none is lost: what is stored says which manifest it goes on from, and is
//! refused when the tag names another one by then. Beside it is a bundle (`bundle`). While the namespace's key changes there are two of ours, by the key
//! that comes and by the one that `cosign.pub` still answers with.

use super::bundle::{self, Bundle};
use super::keys;
use super::signing::{self, Signer};
use crate::app::App;
use crate::db::manifests::Facts;
use crate::db::{self, Tx, rows};
use crate::error::{Context, Error, Result};
use crate::names::{Algorithm, Digest, TagName};
use crate::policy::Principal;
use crate::registry::blobs::{OwnBlob, store_own};
use crate::registry::document;
use crate::registry::manifests::{self, accessories};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

pub(super) const ARTIFACT_TYPE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(super) const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// Of all layers together: config and subject have room beside them in the largest manifest that is read.
const MOST_DESCRIBED: usize = accessories::MOST_BYTES - (64 << 10);

/// A signature whose bytes are stored and whose rows are not: `store` writes these beside the tag moves.
pub struct Signed {
    /// Nothing for what is signed by a bundle alone.
    tag: Option<TagName>,
    /// The keys that signed.
    keys: Vec<Uuid>,
    /// The signature manifest that it goes on from, if there was one.
    seen: Option<String>,
    /// Nothing when that manifest holds our signature already.
    objects: Option<Objects>,
    /// What it signs.
    subject: String,
    /// Those that go with it; nothing when the image has no bundle of others.
    bundles: Option<Vec<Bundle>>,
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
    /// Somebody changed the image's signatures or bundles or the namespace's key since they were read: sign again.
    Outdated,
}

/// The tag under which cosign looks for signatures of a digest. That of a sha512 digest would be longer than a tag may
/// be: its signatures refer to it, and nothing else.
pub(super) fn cosign_tag(digest: &Digest) -> Option<TagName> {
    (digest.algorithm() == Algorithm::Sha256)
        .then(|| format!("sha256-{}.sig", digest.hex()).parse().expect("hex digits make a tag"))
}

#[cfg(test)]
pub(super) fn tag_of(digest: &Digest) -> TagName {
    cosign_tag(digest).expect("the digest is by sha256")
}

/// Signs a manifest of a repository with its namespace's key. `name` is `acme/web`.
pub async fn sign(app: &App, repository: &rows::Repository, name: &str, digest: &Digest) -> Result<Signed> {
    let subject = manifests::find_facts(app, repository.id, digest).await?;
    let subject = subject.ok_or_else(|| Error::not_found(format!("manifest `{digest}`")))?;
    let signers = keys::signing_now(app, repository.namespace_id).await?;
    let payload = payload_of(app, name, digest);
    let tag = cosign_tag(digest);
    let bundles = if tag.is_none() || bundle::is_any(&app.db, repository, digest.as_str()).await? {
        Some(bundle::make_missing(app, repository, &reference(app, name), &subject, &signers).await?)
    } else {
        None
    };
    let ids: Vec<Uuid> = signers.iter().map(|(key, _)| key.id).collect();
    let Some(tag) = tag else {
        let subject = digest.to_string();
        return Ok(Signed { tag: None, keys: ids, seen: None, objects: None, subject, bundles });
    };
    let present = present(app, repository, &tag).await?;
    let mut layers = present.layers;
    let payload_digest = Digest::of(&payload);
    // As we write it, or it is none: one that a client does not read is written anew.
    let described = |signature: &str| {
        json!({
            "mediaType": PAYLOAD_TYPE,
            "size": payload.len(),
            "digest": payload_digest.as_str(),
            "annotations": {ANNOTATION: signature},
        })
    };
    let is_of = |layer: &Value, key: &rows::SigningKey| {
        let signature = layer["annotations"][ANNOTATION].as_str().unwrap_or_default();
        *layer == described(signature) && signing::verifies(&key.public_pem, &payload, signature)
    };
    let made = |objects| Signed {
        tag: Some(tag.clone()),
        keys: ids,
        seen: present.digest,
        objects,
        subject: digest.to_string(),
        bundles,
    };
    // The same image built again: its signature is there.
    let lacks = |(key, _): &&(rows::SigningKey, Signer)| !layers.iter().any(|layer| is_of(layer, key));
    let missing: Vec<&Signer> = signers.iter().filter(lacks).map(|(_, signer)| signer).collect();
    if missing.is_empty() && present.is_sound {
        return Ok(made(None));
    }
    // The one that signs longest comes last, where it is found first.
    for signer in missing.into_iter().rev() {
        layers.push(described(&signer.sign(&payload)?));
    }
    make_room(&mut layers, payload_digest.as_str());
    let config = config(&layers);
    let manifest = manifest(&config, &layers, &subject);
    let blobs = vec![store_own(app, config).await?, store_own(app, payload).await?];
    Ok(made(Some(Objects { blobs, manifest })))
}

/// Drops the oldest signatures of others where there are too many or too large ones: they never keep ours out.
fn make_room(layers: &mut Vec<Value>, ours: &str) {
    let mut number = layers.len();
    let mut bytes: usize = layers.iter().map(|layer| layer.to_string().len() + 1).sum();
    layers.retain(|layer| {
        let is_kept = layer["digest"] == ours || (number <= accessories::MOST_LAYERS && bytes <= MOST_DESCRIBED);
        if !is_kept {
            number -= 1;
            bytes -= layer.to_string().len() + 1;
        }
        is_kept
    });
    // Of our own payload, the newest.
    let excess = layers.len().saturating_sub(accessories::MOST_LAYERS);
    layers.drain(..excess);
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
    let present = match &signed.tag {
        Some(tag) => db::tags::find(tx, repository.id, tag.as_str()).await?.map(|tag| tag.digest),
        None => None,
    };
    // Whoever changes the key waits for this transaction, and then signs again what it wrote.
    if present != signed.seen || keys::hold(tx, repository.namespace_id).await? != signed.keys {
        return Ok(Stored::Outdated);
    }
    // Somebody's bundle came since: without one of ours beside it the tag would be signed, and clients find nothing.
    if signed.bundles.is_none() && bundle::is_any(tx, repository, &signed.subject).await? {
        return Ok(Stored::Outdated);
    }
    if let Some(Objects { blobs, manifest }) = &signed.objects {
        manifests::insert_own(app, tx, by, repository, blobs, manifest, signed.tag.as_ref()).await?;
    }
    bundle::store(app, tx, by, repository, signed.bundles.as_deref().unwrap_or_default()).await?;
    Ok(Stored::Yes)
}

/// The signatures that there are already.
#[derive(Default)]
struct Present {
    /// Of the manifest that holds them.
    digest: Option<String>,
    layers: Vec<Value>,
    /// Clients read all of it, as it is.
    is_sound: bool,
}

async fn present(app: &App, repository: &rows::Repository, tag: &TagName) -> Result<Present> {
    let Some(tag) = db::tags::find(&app.db, repository.id, tag.as_str()).await? else { return Ok(Present::default()) };
    let mut present = Present { digest: Some(tag.digest.clone()), ..Present::default() };
    let found = manifests::find(app, repository.id, &Digest::trusted(&tag.digest)).await?;
    // What has two meanings is taken for none: ours is written anew, and nobody knows what the others were.
    let Some((found, document)) = found.and_then(|found| {
        let document = document::parse_pushed(&found.media_type, &found.body).ok()?;
        Some((found, document))
    }) else {
        return Ok(present);
    };
    let sizes = accessories::sizes(&app.db, repository.id, &document).await?;
    let mut manifest: Value = serde_json::from_slice(&found.body).context("reading the signatures that there are")?;
    let Value::Array(layers) = manifest["layers"].take() else { return Ok(present) };
    let number = layers.len();
    // An image may be there, put by hand before such tags were for signatures only, and layers that no client reads.
    present.layers = layers.into_iter().filter(|layer| is_kept(layer, &sizes)).collect();
    present.is_sound = document::is_image(&document.media_type)
        && accessories::flaw(&found.body, &sizes).is_none()
        && present.layers.len() == number;
    Ok(present)
}

fn is_kept(layer: &Value, sizes: &HashMap<String, i64>) -> bool {
    let size = layer["digest"].as_str().and_then(|digest| sizes.get(digest)).copied();
    let is_of_cosign = layer["mediaType"].as_str().is_some_and(accessories::is_of_cosign);
    is_of_cosign && size.is_some() && accessories::flaw_of(layer, size).is_none()
}

/// What the server signs for an image of the repository `name`.
pub(super) fn payload_of(app: &App, name: &str, digest: &Digest) -> Bytes {
    payload(&reference(app, name), digest)
}

fn reference(app: &App, name: &str) -> String {
    format!("{}/{name}", app.config.public_host())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_among_the_signatures_of_others() {
        let layer = |digest: &str| json!({"digest": digest});
        let mut layers: Vec<Value> =
            std::iter::once(layer("ours")).chain((0..300).map(|n| layer(&n.to_string()))).collect();
        make_room(&mut layers, "ours");
        assert_eq!((layers.len(), &layers[0], &layers[1]), (accessories::MOST_LAYERS, &layer("ours"), &layer("101")));
        let large = |digest: &str| json!({"digest": digest, "annotations": {"x": "y".repeat(100 << 10)}});
        let mut layers: Vec<Value> =
            std::iter::once(large("ours")).chain((0..12).map(|n| large(&n.to_string()))).collect();
        make_room(&mut layers, "ours");
        assert_eq!((layers.len(), &layers[0], &layers[1]), (9, &large("ours"), &large("4")));
    }
}
