//! Chunked blob uploads: start, append, finish, abandon.
//!
//! Bytes go to storage as they arrive and are hashed once on the way; only `finish` makes them visible as a blob.

use super::repositories;
use crate::app::App;
use crate::clock::{DAY, MINUTE};
use crate::db::{self, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use crate::policy::{Allowed, Principal, PullImage, PushImage};
use crate::storage;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;
use uuid::Uuid;

/// A writer that says nothing for so long has lost the upload.
const LEASE: i64 = 5 * MINUTE;
/// Uploads that nobody goes on with are forgotten.
const FORGOTTEN_AFTER: i64 = DAY;
// About 150 bytes each.
const MOST_HASHES: usize = 20_000;

/// Hashes of uploads between two requests, so that bytes are hashed once; after a restart they are hashed again from storage.
#[derive(Default)]
pub struct OpenUploads(Mutex<HashMap<Uuid, (i64, Sha256)>>);

impl OpenUploads {
    fn keep(&self, id: Uuid, offset: i64, hash: Sha256) {
        let mut open = self.0.lock().expect("no holder panics");
        if open.len() >= MOST_HASHES {
            open.clear();
        }
        open.insert(id, (offset, hash));
    }

    fn take(&self, id: Uuid, offset: i64) -> Option<Sha256> {
        let known = self.0.lock().expect("no holder panics").remove(&id)?;
        (known.0 == offset).then_some(known.1)
    }
}

/// Starts an upload into the repository, which is made provisional when it is absent.
pub async fn start(app: &App, allowed: &Allowed<PushImage>) -> Result<rows::Upload> {
    refuse_when_full(app)?;
    let repository = repositories::ensure(app, allowed).await?;
    let now = app.clock.now();
    let by = allowed.principal();
    let row = rows::Upload {
        // 122 random bits: an id cannot be guessed.
        id: Uuid::new_v4(),
        repository_id: repository.id,
        storage_key: storage::new_key("blobs"),
        offset_bytes: 0,
        version: 0,
        locked_until: None,
        principal_kind: by.kind(),
        principal_id: by.id(),
        attempt_id: by.attempt_id(),
        created_at: now,
        updated_at: now,
    };
    let tx = app.db.begin().await?;
    let row = db::uploads::insert(&tx, row).await?;
    tx.commit().await?;
    app.uploads.keep(row.id, 0, Sha256::new());
    Ok(row)
}

fn refuse_when_full(app: &App) -> Result<()> {
    match app.storage.free_bytes()? {
        Some(free) if free < app.config.min_free_bytes => Err(Error::Unavailable(
            "the registry is almost full and takes no uploads until the operator makes room; pulls go on".into(),
        )),
        _ => Ok(()),
    }
}

/// An upload of this repository that `by` started; those of others do not exist.
pub async fn find(app: &App, allowed: &Allowed<PushImage>, id: &str) -> Result<rows::Upload> {
    let unknown = || Error::registry(OciCode::BlobUploadUnknown, "this upload does not exist here; start a new one");
    let id = Uuid::try_parse(id).map_err(|_not_ours| unknown())?;
    let upload = db::uploads::find(&app.db, allowed.on().id, id).await?.ok_or_else(unknown)?;
    if belongs_to(&upload, allowed.principal()) { Ok(upload) } else { Err(unknown()) }
}

fn belongs_to(upload: &rows::Upload, by: &Principal) -> bool {
    upload.principal_kind == by.kind() && upload.principal_id == by.id()
}

/// Appends a chunk. `from` is the offset that the client says it starts at.
pub async fn append(
    app: &App,
    upload: &rows::Upload,
    from: Option<u64>,
    body: impl Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
    location: &str,
) -> Result<rows::Upload> {
    let offset = u64::try_from(upload.offset_bytes).unwrap_or_default();
    if from.is_some_and(|from| from != offset) {
        return Err(Error::WrongOffset { offset, location: location.to_owned() });
    }
    refuse_when_full(app)?;
    let held = lock(app, upload, location).await?;
    let hash = hash_so_far(app, &held).await?;
    let mut writer = app.storage.write(&held.storage_key, offset, hash);
    let received = receive(app, &held, &mut writer, body).await;
    let (hash, written) = writer.finish().await?;
    // What arrived before a client broke off stays: the upload goes on from there.
    let offset = held.offset_bytes + i64::try_from(written).unwrap_or(i64::MAX);
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if !db::uploads::unlock(&tx, held.id, held.version, offset, now).await? {
        return Err(Error::Conflict("another request took this upload over".into()));
    }
    tx.commit().await?;
    app.uploads.keep(held.id, offset, hash);
    received?;
    Ok(rows::Upload { offset_bytes: offset, ..held })
}

/// From memory, or from storage after a restart.
async fn hash_so_far(app: &App, upload: &rows::Upload) -> Result<Sha256> {
    if let Some(hash) = app.uploads.take(upload.id, upload.offset_bytes) {
        return Ok(hash);
    }
    app.storage.hash(&upload.storage_key, u64::try_from(upload.offset_bytes).unwrap_or_default()).await
}

async fn lock(app: &App, upload: &rows::Upload, location: &str) -> Result<rows::Upload> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let held = db::uploads::lock(&tx, upload.id, now, now + LEASE).await?;
    let held = held.ok_or_else(|| Error::Conflict("another request writes to this upload".into()))?;
    if held.offset_bytes != upload.offset_bytes {
        let offset = u64::try_from(held.offset_bytes).unwrap_or_default();
        return Err(Error::WrongOffset { offset, location: location.to_owned() });
    }
    tx.commit().await?;
    Ok(held)
}

async fn receive(
    app: &App,
    held: &rows::Upload,
    writer: &mut storage::Writer,
    mut body: impl Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
) -> Result<()> {
    let mut extended = app.clock.now();
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|e| Error::registry(OciCode::BlobUploadInvalid, format!("the upload broke off: {e}")))?;
        writer.write(chunk).await;
        let now = app.clock.now();
        if now - extended > MINUTE {
            extended = now;
            let tx = app.db.begin().await?;
            db::uploads::extend(&tx, held.id, held.version, now + LEASE).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Makes the bytes a blob of the repository, if they are what `digest` says.
pub async fn finish(app: &App, allowed: &Allowed<PushImage>, upload: &rows::Upload, digest: &Digest) -> Result<()> {
    let got = Digest::from_hash(&hash_so_far(app, upload).await?.finalize());
    if got != *digest {
        cancel(app, upload).await?;
        return Err(Error::registry(
            OciCode::DigestInvalid,
            format!("the bytes hash to {got}, not to {digest}; the upload was dropped, start a new one"),
        ));
    }
    if upload.offset_bytes == 0 {
        // An empty blob has no file yet.
        app.storage.put(&upload.storage_key, Bytes::new()).await?;
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if !db::uploads::delete(&tx, upload.id).await? {
        return Err(Error::registry(OciCode::BlobUploadUnknown, "this upload was finished by another request"));
    }
    let (blob, in_use) = db::blobs::upsert(&tx, digest, upload.offset_bytes, &upload.storage_key, now).await?;
    db::blobs::link(&tx, upload.repository_id, blob.id, allowed.principal().attempt_id(), now).await?;
    tx.commit().await?;
    if !in_use {
        app.storage.remove(&upload.storage_key).await?;
    }
    Ok(())
}

/// Drops an upload and its bytes.
pub async fn cancel(app: &App, upload: &rows::Upload) -> Result<()> {
    let tx = app.db.begin().await?;
    db::uploads::delete(&tx, upload.id).await?;
    tx.commit().await?;
    app.storage.remove(&upload.storage_key).await
}

/// Links a blob of another repository: needs both proofs. False when it is not there.
pub async fn mount(app: &App, into: &Allowed<PushImage>, from: &Allowed<PullImage>, digest: &Digest) -> Result<bool> {
    let Some(blob) = db::blobs::find_linked(&app.db, from.on().id, digest).await? else { return Ok(false) };
    let repository = repositories::ensure(app, into).await?;
    let tx = app.db.begin().await?;
    if !db::blobs::revive(&tx, &[blob.id]).await? {
        return Ok(false);
    }
    db::blobs::link(&tx, repository.id, blob.id, into.principal().attempt_id(), app.clock.now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// Forgets uploads that were left lying, with their bytes.
pub async fn forget_old(app: &App) -> Result<()> {
    for upload in db::uploads::stale(&app.db, app.clock.now() - FORGOTTEN_AFTER).await? {
        cancel(app, &upload).await?;
    }
    Ok(())
}

/// Where this process is the only writer, a lease of the last one holds nobody back.
pub async fn at_start(app: &App) -> Result<()> {
    if app.db.is_only_writer() {
        let tx = app.db.begin().await?;
        db::uploads::forget_locks(&tx).await?;
        tx.commit().await?;
    }
    Ok(())
}
