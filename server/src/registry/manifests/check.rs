//! Whether everything that a manifest names is here.

use super::super::document::{self, Document, Edge};
use crate::app::App;
use crate::db::{self, EdgeKind, Tx};
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use std::collections::HashSet;
use uuid::Uuid;

/// What a manifest names, as far as it is here.
pub(super) struct Found {
    /// What a pull moves: config and layers, or those of all children.
    pub(super) image_size_bytes: i64,
    /// Entries of `manifests` that are blobs: the layers of a cache, as BuildKit writes it with `image-manifest=false`.
    pub(super) blobs: HashSet<Digest>,
}

/// Refuses a manifest whose blobs or children the repository lacks, and keeps those it has from the collector.
pub(super) async fn references(tx: &Tx, repository_id: Uuid, document: &Document) -> Result<Found> {
    // What is named twice is there once, and a pull moves it once.
    let mut seen = HashSet::new();
    let named = document.edges.iter().filter(|e| seen.insert((e.kind == EdgeKind::Manifest, &e.digest)));
    let (manifests, mut blobs): (Vec<_>, Vec<_>) = named.partition(|e| e.kind == EdgeKind::Manifest);
    let wanted: Vec<String> = manifests.iter().map(|e| e.digest.to_string()).collect();
    let children = db::manifests::facts(tx, repository_id, &wanted).await?;
    let known: HashSet<&str> = children.iter().map(|c| c.digest.as_str()).collect();
    let others: Vec<&Edge> = manifests.into_iter().filter(|e| !known.contains(e.digest.as_str())).collect();
    // An unknown media type is no error (OCI image-spec, "Image Index"): what has it may be a blob.
    if let Some(absent) = others.iter().find(|e| document::is_known(&e.media_type)) {
        return Err(lacks(&format!("manifest {}", absent.digest)));
    }
    blobs.extend(&others);
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
    // One that stands in `manifests` and among the layers is moved once, too.
    let mut counted = HashSet::new();
    let own = blobs.iter().filter(|e| counted.insert(&e.digest)).map(|e| e.size_bytes).fold(0, i64::saturating_add);
    Ok(Found {
        image_size_bytes: children.iter().map(|c| c.image_size_bytes).fold(own, i64::saturating_add),
        blobs: others.into_iter().map(|e| e.digest.clone()).collect(),
    })
}

fn lacks(what: &str) -> Error {
    Error::registry(
        OciCode::ManifestBlobUnknown,
        format!("the manifest names {what}, which is not in this repository; push it first"),
    )
}

/// An index, its platforms and their attestations: BuildKit makes two for each platform.
const MOST_MANIFESTS: usize = 200;
/// An index in an index in an index is no image that BuildKit makes.
const MOST_LEVELS: usize = 3;

/// Whether a build's image is complete, and was pushed by this attempt. The text of `Invalid` is for the build page.
///
/// The manifests that an index names need only be here: BuildKit does not push again what an earlier build made alike.
/// Each is looked at once, however often and however deep it is named, and without its body.
pub async fn check_pushed(app: &App, repository_id: Uuid, digest: &Digest, attempt_id: Uuid) -> Result<()> {
    let root = db::manifests::find_facts(&app.db, repository_id, digest.as_str()).await?;
    let root = root.ok_or_else(|| not_pushed(digest.as_str()))?;
    if root.attempt_id != Some(attempt_id) {
        return Err(Error::invalid(format!("{digest} was not pushed by this build")));
    }
    let mut seen = HashSet::from([root.digest.clone()]);
    let mut waiting = vec![root];
    for _level in 0..MOST_LEVELS {
        let mut next = Vec::new();
        for manifest in waiting {
            if let Some(absent) = db::edges::absent_blob(&app.db, repository_id, manifest.id).await? {
                return Err(Error::invalid(format!("the image lacks blob {absent}")));
            }
            let children = db::edges::children(&app.db, manifest.id, MOST_MANIFESTS as u64 + 1).await?;
            let new: Vec<String> = children.into_iter().filter(|child| seen.insert(child.clone())).collect();
            if seen.len() > MOST_MANIFESTS {
                return Err(Error::invalid(format!("the image has more than {MOST_MANIFESTS} manifests")));
            }
            let found = db::manifests::facts(&app.db, repository_id, &new).await?;
            if let Some(absent) = new.iter().find(|child| found.iter().all(|f| f.digest != **child)) {
                return Err(not_pushed(absent));
            }
            next.extend(found);
        }
        waiting = next;
    }
    if waiting.is_empty() { Ok(()) } else { Err(Error::invalid("the image index is nested too deeply")) }
}

fn not_pushed(digest: &str) -> Error {
    Error::invalid(format!("the builder reported {digest}, but did not push it"))
}
