//! Pushes to tags beside an image: whoever pushes there adds signatures, and removes none of ours.

use super::Place;
use super::again;
use super::checks::{self, Claim, Finding, Until};
use super::signature::{ARTIFACT_TYPE, PAYLOAD_TYPE, cosign_tag};
use crate::app::App;
use crate::db;
use crate::error::{Error, Result};
use crate::names::{Digest, Reference, TagName};
use crate::registry::blobs;
use crate::registry::manifests::accessories::{self, Kept};
use crate::registry::manifests::{self, Push, Pushed};
use bytes::Bytes;
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use tokio::sync::{Mutex, MutexGuard};

/// Times that others may change the tag between our look and our lock: servers beside this one, or a build.
const MOST_TURNS: usize = 10;

/// What we sign has some hundred bytes: host, name and digest of an image. More is none of ours.
const MOST_PAYLOAD: usize = 4 << 10;

/// Signatures of an image that the server made, the newest first, among which one that counts is looked for.
const MOST_MADE: u64 = 5;

/// Pushes of this process to tags beside images come one after the other, in as many lines as this.
const LINES: usize = 32;

/// The lines in which pushes beside images wait.
pub struct Turns([Mutex<()>; LINES]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Turns {
    async fn wait(&self, place: &Place, subject: &Digest) -> MutexGuard<'_, ()> {
        let mut hash = DefaultHasher::new();
        (place.repository_id, subject.as_str()).hash(&mut hash);
        let line = usize::try_from(hash.finish() % LINES as u64).unwrap_or_default();
        self.0[line].lock().await
    }
}

/// Stores a manifest that somebody pushes, to whatever tag or digest.
pub async fn put_manifest(app: &App, push: &Push<'_>, reference: &Reference) -> Result<Pushed> {
    let beside = match reference {
        Reference::Tag(tag) => tag.subject().map(|subject| (tag, subject)),
        Reference::Digest(_) => None,
    };
    let place = Place::from(push.allowed.on());
    let pushed = match beside {
        Some((tag, subject)) => put_beside(app, push, &place, tag, &subject).await?,
        None => manifests::put(app, push, reference).await?,
    };
    if let Some(image) = &pushed.bundled
        && let Err(error) = again::add_bundle(app, place.repository_id, image).await
    {
        // The push is stored all the same, and the job that it left does this.
        tracing::warn!("{}@{image} got no bundle of ours yet: {}", place.name, error.for_log());
    }
    Ok(pushed)
}

async fn put_beside(app: &App, push: &Push<'_>, place: &Place, tag: &TagName, subject: &Digest) -> Result<Pushed> {
    let _turn = app.beside.wait(place, subject).await;
    for _ in 0..MOST_TURNS {
        let kept = kept(app, place, tag, subject).await?;
        if let Some(pushed) = accessories::put(app, push, tag, subject, &kept).await? {
            return Ok(pushed);
        }
    }
    // No failure of ours: whoever pushes there makes it so.
    Err(Error::Busy { retry_after_secs: 1 })
}

/// The layers that verify this image here, as a client reads them, of what the tag names now. Where it names none of
/// them, those of the newest signature that the server made and that is still here: deleting a tag clears no way for others.
async fn kept(app: &App, place: &Place, tag: &TagName, subject: &Digest) -> Result<Kept> {
    let seen = db::tags::find(&app.db, place.repository_id, tag.as_str()).await?.map(|present| present.digest);
    let mut kept = Kept { seen, ..Kept::default() };
    if let Some(present) = &kept.seen {
        kept.layers = verified_layers(app, place, present, subject).await?;
    }
    if !kept.layers.is_empty() || cosign_tag(subject).as_ref() != Some(tag) {
        return Ok(kept);
    }
    let kind = Some(ARTIFACT_TYPE);
    for made in db::manifests::own_referrers(&app.db, place.repository_id, subject, kind, MOST_MADE).await? {
        kept.layers = verified_layers(app, place, &made.digest, subject).await?;
        if !kept.layers.is_empty() {
            kept.elsewhere = Some(made.digest);
            break;
        }
    }
    Ok(kept)
}

/// The layers of a manifest that verify this image here, as a client reads them.
async fn verified_layers(app: &App, place: &Place, manifest: &str, subject: &Digest) -> Result<Vec<Value>> {
    let found = manifests::find(app, place.repository_id, &Digest::trusted(manifest)).await?;
    let Some(found) = found else { return Ok(Vec::new()) };
    let body: Value = serde_json::from_slice(&found.body).unwrap_or_default();
    let mut bytes_of: HashMap<Digest, Option<Bytes>> = HashMap::new();
    let (mut layers, mut claims) = (Vec::new(), Vec::new());
    // Each of them, however many the version before took; what several of them name is read once.
    let signed = body["layers"].as_array().into_iter().flatten().filter(|layer| layer["mediaType"] == PAYLOAD_TYPE);
    for layer in signed {
        let Some(blob) = layer["digest"].as_str().and_then(|digest| digest.parse::<Digest>().ok()) else { continue };
        if !bytes_of.contains_key(&blob) {
            let bytes = blobs::read_small(app, place.repository_id, &blob, MOST_PAYLOAD).await?;
            bytes_of.insert(blob.clone(), bytes);
        }
        let Some(bytes) = &bytes_of[&blob] else { continue };
        // What no client reads verifies nothing, and is not worth keeping.
        if accessories::flaw_of(layer, i64::try_from(bytes.len()).ok()).is_some() {
            continue;
        }
        if let claim @ Claim::Signed { .. } = checks::read_payload(bytes, layer, subject) {
            claims.push(claim);
            layers.push(layer);
        }
    }
    let keys = checks::in_order(db::keys::of_namespace(&app.db, place.namespace_id).await?);
    let weighed = checks::weigh(place, &keys, claims, usize::MAX, Until::All).await?;
    let mut verified: Vec<Value> = Vec::new();
    for (layer, finding) in layers.into_iter().zip(weighed.findings) {
        if matches!(finding, Some(Finding::Verified(_))) && !verified.contains(layer) {
            verified.push(layer.clone());
        }
    }
    Ok(verified)
}
