//! Reading blobs, and storing small ones of our own.

use super::manifests::Condition;
use super::objects;
use crate::app::App;
use crate::clock::Millis;
use crate::db::{self, BlobState, ObjectKey, ObjectKind, Tx, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use crate::policy::{Allowed, DeleteImage, PullImage};
use crate::storage;
use bytes::Bytes;
use uuid::Uuid;

/// A blob of ours whose bytes are stored, but not yet named by any row.
pub struct OwnBlob {
    pub digest: Digest,
    pub size_bytes: i64,
    pub storage_key: ObjectKey,
}

fn unknown(digest: &Digest) -> Error {
    Error::registry(OciCode::BlobUnknown, format!("blob {digest} is not in this repository"))
}

/// The blob, if this repository links it. A condemned blob that is asked for lives again.
pub async fn find(app: &App, allowed: &Allowed<PullImage>, digest: &Digest) -> Result<rows::Blob> {
    let blob = db::blobs::find_linked(&app.db, allowed.on().id, digest).await?.ok_or_else(|| unknown(digest))?;
    if blob.state == BlobState::Condemned {
        let tx = app.db.begin().await?;
        if !db::blobs::revive(&tx, &[blob.id]).await? {
            return Err(unknown(digest));
        }
        tx.commit().await?;
    }
    Ok(blob)
}

/// Bytes `start..start + length` of a blob.
pub async fn read(app: &App, blob: &rows::Blob, start: u64, length: u64) -> Result<storage::ByteStream> {
    let found = app.storage.read(&blob.storage_key, start, length).await?;
    found.ok_or_else(|| Error::internal("reading a blob", format!("{} has a row but no bytes", blob.digest)))
}

/// Names stored bytes as a blob. The second value tells whether they are the ones in use; if not, they are a copy that
/// nobody needs. A known blob whose own bytes are gone or cut short takes these: else no push could ever mend it.
pub(super) async fn name(app: &App, tx: &Tx, own: &OwnBlob, now: Millis) -> Result<(rows::Blob, bool)> {
    let (blob, in_use) = db::blobs::upsert(tx, &own.digest, own.size_bytes, &own.storage_key, now).await?;
    let whole = u64::try_from(blob.size_bytes).ok();
    if in_use || app.storage.length(&blob.storage_key).await? == whole {
        return Ok((blob, in_use));
    }
    tracing::warn!(blob.digest = blob.digest, "the bytes of {} were not whole; a push brought them back", blob.digest);
    let until = objects::kept_until(app);
    Ok((db::blobs::set_storage_key(tx, &blob, &own.storage_key, until).await?, true))
}

/// Removes the link from this repository, unless a manifest there still needs it; the bytes are the collector's business.
pub async fn delete(app: &App, allowed: &Allowed<DeleteImage>, digest: &Digest, condition: &Condition) -> Result<()> {
    let on = allowed.on();
    let blob = db::blobs::find_linked(&app.db, on.id, digest).await?.ok_or_else(|| unknown(digest))?;
    condition.check(Some(&blob.digest))?;
    let tx = app.db.begin().await?;
    // Whoever stores a manifest holds this lock while it looks for its blobs.
    db::repositories::lock(&tx, on.id).await?;
    if let Some(manifest) = db::manifests::that_needs(&tx, on.id, digest).await? {
        // 405 and UNSUPPORTED, not 403 and DENIED: no other account may do it either, and clients know 405 as the
        // answer of a registry that keeps a blob. The specification names 404 and 405 beside 202.
        return Err(Error::registry(
            OciCode::Unsupported,
            format!("blob {digest} is part of manifest {manifest} in this repository; delete that first"),
        ));
    }
    if !db::blobs::unlink(&tx, on.id, blob.id).await? {
        return Err(unknown(digest));
    }
    tx.commit().await
}

/// A whole small blob of a repository; `None` when it is absent or larger than `limit` bytes.
pub async fn read_small(app: &App, repository_id: Uuid, digest: &Digest, limit: usize) -> Result<Option<Bytes>> {
    match db::blobs::find_linked(&app.db, repository_id, digest).await? {
        Some(blob) if usize::try_from(blob.size_bytes).is_ok_and(|size| size <= limit) => {
            app.storage.get(&blob.storage_key).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// Stores bytes of ours, before the transaction that names them. They are a few kilobytes, and not refused below the
/// low-space mark: an image that was built and pushed is signed for the price of a row.
pub async fn store_own(app: &App, bytes: Bytes) -> Result<OwnBlob> {
    let own = OwnBlob {
        digest: Digest::of(&bytes),
        size_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        storage_key: db::objects::register(&app.db, ObjectKind::Blob, app.clock.now()).await?,
    };
    app.storage.put(&own.storage_key, bytes).await?;
    Ok(own)
}
