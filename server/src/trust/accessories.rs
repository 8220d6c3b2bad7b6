//! Pushes to tags beside an image: whoever pushes there adds signatures, and removes none of ours.

use super::Place;
use super::again;
use super::bundle;
use super::checks::{self, Claim, Finding, Until};
use super::signature::PAYLOAD_TYPE;
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
    let Some((tag, subject)) = beside else {
        let pushed = manifests::put(app, push, reference).await?;
        if let Some(subject) = pushed.subject.as_ref().filter(|_| bundle::is_one(&push.body)) {
            add_ours(app, &place, subject).await;
        }
        return Ok(pushed);
    };
    let _turn = app.beside.wait(&place, &subject).await;
    for _ in 0..MOST_TURNS {
        let kept = kept(app, &place, tag, &subject).await?;
        if let Some(pushed) = accessories::put(app, push, tag, &subject, &kept).await? {
            return Ok(pushed);
        }
    }
    // No failure of ours: whoever pushes there makes it so.
    Err(Error::Busy { retry_after_secs: 1 })
}

/// Signs an image of a build again, now that there is a bundle beside which clients look for ours.
async fn add_ours(app: &App, place: &Place, subject: &Digest) {
    let signed = async {
        let built = db::signing_runs::built(&app.db, place.repository_id, &[subject.to_string()]).await?;
        let repository = db::repositories::find(&app.db, place.repository_id).await?;
        match repository.filter(|_| !built.is_empty()) {
            Some(repository) => again::again(app, &repository, place, subject).await,
            None => Ok(()),
        }
    };
    // The push is stored all the same: the next rotation or build does it.
    if let Err(error) = signed.await {
        tracing::warn!("{}@{subject} got no bundle of ours: {}", place.name, error.for_log());
    }
}

/// The layers of what the tag names now that verify this image here, as a client reads them.
async fn kept(app: &App, place: &Place, tag: &TagName, subject: &Digest) -> Result<Kept> {
    let Some(present) = db::tags::find(&app.db, place.repository_id, tag.as_str()).await? else {
        return Ok(Kept::default());
    };
    let mut kept = Kept { seen: Some(present.digest.clone()), layers: Vec::new() };
    let found = manifests::find(app, place.repository_id, &Digest::trusted(&present.digest)).await?;
    let Some(found) = found else { return Ok(kept) };
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
    for (layer, finding) in layers.into_iter().zip(weighed.findings) {
        if matches!(finding, Some(Finding::Verified(_))) && !kept.layers.contains(layer) {
            kept.layers.push(layer.clone());
        }
    }
    Ok(kept)
}
