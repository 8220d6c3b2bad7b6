//! Pushes to tags beside an image: whoever pushes there adds signatures, and removes none of ours.

use super::Place;
use super::checks::{self, Finding};
use crate::app::App;
use crate::db;
use crate::error::{Error, Result};
use crate::names::{Digest, Reference, TagName};
use crate::registry::blobs;
use crate::registry::manifests::accessories::{self, Kept};
use crate::registry::manifests::{self, Push, Pushed};
use serde_json::Value;

pub(super) use crate::registry::manifests::accessories::is_of_cosign;

/// Times that others may change the tag between our look and our lock.
const MOST_TURNS: usize = 5;
// What is there was bounded when it was signed; more is not looked at.
const MOST_LAYERS: usize = 1_000;

/// Stores a manifest that somebody pushes, to whatever tag or digest.
pub async fn put_manifest(app: &App, push: &Push<'_>, reference: &Reference) -> Result<Pushed> {
    let beside = match reference {
        Reference::Tag(tag) => tag.subject().map(|subject| (tag, subject)),
        Reference::Digest(_) => None,
    };
    let Some((tag, subject)) = beside else { return manifests::put(app, push, reference).await };
    let place = Place::from(push.allowed.on());
    for _ in 0..MOST_TURNS {
        let kept = kept(app, &place, tag, &subject).await?;
        if let Some(pushed) = accessories::put(app, push, tag, &subject, &kept).await? {
            return Ok(pushed);
        }
    }
    Err(Error::Unavailable(format!("`{tag}` changes faster than we read; push again")))
}

/// The layers of what the tag names now that verify this image here.
async fn kept(app: &App, place: &Place, tag: &TagName, subject: &Digest) -> Result<Kept> {
    let Some(present) = db::tags::find(&app.db, place.repository_id, tag.as_str()).await? else {
        return Ok(Kept::default());
    };
    let mut kept = Kept { seen: Some(present.digest.clone()), layers: Vec::new() };
    let found = manifests::find(app, place.repository_id, &Digest::trusted(&present.digest)).await?;
    let Some(found) = found else { return Ok(kept) };
    let body: Value = serde_json::from_slice(&found.body).unwrap_or_default();
    let keys = db::keys::of_namespace(&app.db, place.namespace_id).await?;
    for layer in body["layers"].as_array().into_iter().flatten().take(MOST_LAYERS) {
        let Some((limit, read)) = layer["mediaType"].as_str().and_then(checks::of_type) else { continue };
        let Some(blob) = layer["digest"].as_str().and_then(|digest| digest.parse().ok()) else { continue };
        let Some(bytes) = blobs::read_small(app, place.repository_id, &blob, limit).await? else { continue };
        let finding = checks::by_keys(place, &keys, &read(&bytes, layer, subject));
        if matches!(finding, Some(Finding::Verified(_))) {
            kept.layers.push(layer.clone());
        }
    }
    Ok(kept)
}
