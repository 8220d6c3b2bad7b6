//! Whether everything that a manifest names is here.

use super::super::document::{self, Document};
use crate::app::App;
use crate::db::{self, EdgeKind, Tx, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use std::collections::HashSet;
use uuid::Uuid;

/// Refuses a manifest whose blobs or children the repository lacks, and keeps those it has from the collector.
/// Returns the bytes that a pull moves: config and layers, or those of all children.
pub(super) async fn references(tx: &Tx, repository_id: Uuid, document: &Document) -> Result<i64> {
    let (manifests, blobs): (Vec<_>, Vec<_>) = document.edges.iter().partition(|e| e.kind == EdgeKind::Manifest);
    let wanted: Vec<String> = blobs.iter().filter(|e| !e.is_foreign).map(|e| e.digest.to_string()).collect();
    let found = db::blobs::find_all_linked(tx, repository_id, &wanted).await?;
    for digest in &wanted {
        if !found.contains_key(digest) {
            return Err(lacks(&format!("blob {digest}")));
        }
    }
    let ids: Vec<Uuid> = found.values().map(|b| b.id).collect();
    if !db::blobs::revive(tx, &ids).await? {
        return Err(lacks("a blob that is being collected"));
    }
    let wanted: Vec<String> = manifests.iter().map(|e| e.digest.to_string()).collect();
    let children = db::manifests::facts(tx, repository_id, &wanted).await?;
    let known: HashSet<&str> = children.iter().map(|c| c.digest.as_str()).collect();
    if let Some(absent) = wanted.iter().find(|d| !known.contains(d.as_str())) {
        return Err(lacks(&format!("manifest {absent}")));
    }
    let own: i64 = blobs.iter().map(|e| e.size_bytes).fold(0, i64::saturating_add);
    Ok(children.iter().map(|c| c.image_size_bytes).fold(own, i64::saturating_add))
}

fn lacks(what: &str) -> Error {
    Error::registry(
        OciCode::ManifestBlobUnknown,
        format!("the manifest names {what}, which is not in this repository; push it first"),
    )
}

/// Whether a build's image is complete, and was pushed by this attempt. The text of `Invalid` is for the build page.
///
/// The manifests that an index names need only be here: BuildKit does not push again what an earlier build made alike.
pub async fn check_pushed(app: &App, repository_id: Uuid, digest: &Digest, attempt_id: Uuid) -> Result<()> {
    let root = present(app, repository_id, digest).await?;
    if root.attempt_id != Some(attempt_id) {
        return Err(Error::invalid(format!("{digest} was not pushed by this build")));
    }
    let mut waiting = vec![root];
    // An index in an index in an index is no image that BuildKit makes.
    for _depth in 0..3 {
        let mut next = Vec::new();
        for manifest in waiting {
            let parsed = document::parse(&manifest.media_type, &manifest.body)?;
            complete(app, repository_id, &parsed).await?;
            for child in parsed.edges.iter().filter(|e| e.kind == EdgeKind::Manifest) {
                next.push(present(app, repository_id, &child.digest).await?);
            }
        }
        waiting = next;
    }
    if waiting.is_empty() { Ok(()) } else { Err(Error::invalid("the image index is nested too deeply")) }
}

async fn present(app: &App, repository_id: Uuid, digest: &Digest) -> Result<rows::Manifest> {
    let found = db::manifests::find(&app.db, repository_id, digest.as_str()).await?;
    found.ok_or_else(|| Error::invalid(format!("the builder reported {digest}, but did not push it")))
}

async fn complete(app: &App, repository_id: Uuid, document: &Document) -> Result<()> {
    let blobs = document.edges.iter().filter(|e| e.kind != EdgeKind::Manifest && !e.is_foreign);
    let wanted: Vec<String> = blobs.map(|e| e.digest.to_string()).collect();
    let found = db::blobs::find_all_linked(&app.db, repository_id, &wanted).await?;
    match wanted.iter().find(|d| !found.contains_key(*d)) {
        Some(absent) => Err(Error::invalid(format!("the image lacks blob {absent}"))),
        None => Ok(()),
    }
}
