//! Blobs.

use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::names::Digest;
use bytes::Bytes;
use uuid::Uuid;

/// A blob that the server made, stored but not linked yet.
#[derive(Clone, Debug)]
pub struct OwnBlob {
    pub digest: Digest,
    pub size: u64,
    pub storage_key: String,
}

/// Stores bytes of our own, before any row names them.
pub async fn store_own(app: &App, bytes: Bytes) -> Result<OwnBlob> {
    let storage_key = crate::storage::new_key("blobs");
    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
    app.storage.put(&storage_key, bytes).await?;
    Ok(OwnBlob { digest, size, storage_key })
}

/// A small blob of a repository; `None` when it is absent or larger than `limit`.
pub async fn read_small(app: &App, repository_id: Uuid, digest: &Digest, limit: usize) -> Result<Option<Bytes>> {
    let Some(blob) = db::blobs::find_linked(&app.db, repository_id, digest).await? else { return Ok(None) };
    if usize::try_from(blob.size_bytes).is_ok_and(|size| size <= limit) {
        return app.storage.get(&blob.storage_key).await.map(Some);
    }
    Ok(None)
}
