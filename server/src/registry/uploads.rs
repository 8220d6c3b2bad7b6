//! Chunked blob uploads: start, append, finish, abandon.
//!
//! Bytes go to storage as they arrive and are hashed once on the way; only `finish` makes them visible as a blob.

pub(super) mod bounds;
mod held;
mod open;

pub use held::Body;
pub use open::OpenUploads;

use super::blobs::{self, OwnBlob};
use super::{objects, removal, repositories};
use crate::app::App;
use crate::clock::{DAY, HOUR};
use crate::db::{self, rows};
use crate::error::{Error, OciCode, Parts, Result};
use crate::names::{Algorithm, Digest};
use crate::policy::{Allowed, Principal, PullImage, PushImage};
use bytes::Bytes;
use held::{Held, give_up, hash_so_far, lock, release, write};
use uuid::Uuid;

/// Uploads that nobody goes on with are forgotten, and so are repositories that never got a manifest.
const FORGOTTEN_AFTER: i64 = DAY;
/// Rows that a sweep reads at once.
const AT_ONCE: u64 = 500;

/// Starts an upload into the repository, which is made provisional when it is absent.
pub async fn start(app: &App, allowed: &Allowed<PushImage>) -> Result<rows::Upload> {
    app.room()?;
    let by = allowed.principal();
    let who = (by.kind(), by.id());
    bounds::more_bytes(app, who).await?;
    let repository = repositories::ensure(app, allowed).await?;
    let now = app.clock.now();
    // 122 random bits: an id cannot be guessed.
    let id = Uuid::new_v4();
    let row = |storage_key| rows::Upload {
        id,
        repository_id: repository.id,
        storage_key,
        offset_bytes: 0,
        version: 0,
        locked_until: None,
        locked_by: None,
        principal_kind: by.kind(),
        principal_id: by.id(),
        attempt_id: by.attempt_id(),
        created_at: now,
        updated_at: now,
    };
    let tx = app.db.begin().await?;
    bounds::one_more_upload(app, &tx, who).await?;
    let row = db::uploads::insert(&tx, id, now, row).await?;
    tx.commit().await?;
    Ok(row)
}

/// Notes by which algorithm the end of an upload will name it, so that it is hashed as it comes. What was not noted, or
/// before a restart, is hashed again at its end.
pub fn expect(app: &App, upload: &rows::Upload, algorithm: Algorithm) {
    app.uploads.expect(upload.id, algorithm);
}

/// An upload of this repository that `by` started; those of others do not exist.
pub async fn find(app: &App, allowed: &Allowed<PushImage>, id: &str) -> Result<rows::Upload> {
    let id = Uuid::try_parse(id).map_err(|_not_ours| unknown())?;
    let upload = db::uploads::find(&app.db, allowed.on().id, id).await?.ok_or_else(unknown)?;
    if belongs_to(&upload, allowed.principal()) { Ok(upload) } else { Err(unknown()) }
}

fn unknown() -> Error {
    Error::registry(OciCode::BlobUploadUnknown, "this upload does not exist here; start a new one")
}

fn busy() -> Error {
    Error::Conflict("another request writes to this upload".into())
}

fn belongs_to(upload: &rows::Upload, by: &Principal) -> bool {
    upload.principal_kind == by.kind() && upload.principal_id == by.id()
}

/// Bytes of a request, and the offset that the client says they start at.
pub struct Chunk<B> {
    pub from: Option<u64>,
    pub body: B,
}

/// Appends a chunk.
pub async fn append(app: &App, upload: &rows::Upload, chunk: Chunk<impl Body>, location: &str) -> Result<rows::Upload> {
    app.room()?;
    bounds::more_bytes(app, (upload.principal_kind, upload.principal_id)).await?;
    let held = lock(app, upload, chunk.from, location).await?;
    let algorithm = app.uploads.expected(upload.id);
    let (held, hash) = write(app, held, chunk.body, algorithm).await?;
    release(app, &held).await?;
    app.uploads.keep(held.row.id, held.row.offset_bytes, hash);
    Ok(rows::Upload { locked_until: None, locked_by: None, ..held.row })
}

/// Makes the bytes a blob of the repository, if they are what `digest` says. `last` is what comes with the closing request.
pub async fn finish(
    app: &App,
    allowed: &Allowed<PushImage>,
    upload: &rows::Upload,
    last: Option<Chunk<impl Body>>,
    digest: &Digest,
    location: &str,
) -> Result<()> {
    if last.is_some() {
        app.room()?;
        bounds::more_bytes(app, (upload.principal_kind, upload.principal_id)).await?;
    }
    // Held to the end: nobody else writes to these bytes, or closes them as something else.
    let held = lock(app, upload, last.as_ref().and_then(|chunk| chunk.from), location).await?;
    let (held, hash) = match last {
        Some(chunk) => write(app, held, chunk.body, digest.algorithm()).await?,
        None => match hash_so_far(app, &held.row, digest.algorithm()).await {
            Ok(hash) => (held, hash),
            Err(error) => return Err(give_up(app, &held, error).await),
        },
    };
    let Some(got) = hash.digest(digest.algorithm()) else {
        let error = Error::internal("finishing an upload", format!("nobody hashed it for {digest}"));
        return Err(give_up(app, &held, error).await);
    };
    app.uploads.forget(upload.id);
    if got != *digest {
        discard(app, &held).await?;
        return Err(Error::registry(
            OciCode::DigestInvalid,
            format!("the bytes hash to {got}, not to {digest}; the upload was dropped, start a new one"),
        ));
    }
    match seal(app, allowed, &held.row, digest).await {
        Ok(()) => Ok(()),
        Err(error) => Err(give_up(app, &held, error).await),
    }
}

async fn seal(app: &App, allowed: &Allowed<PushImage>, held: &rows::Upload, digest: &Digest) -> Result<()> {
    if held.offset_bytes == 0 {
        // An empty blob has no file yet.
        app.storage.put(&held.storage_key, Bytes::new()).await?;
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if !db::uploads::delete_held(&tx, held, now).await? {
        return Err(unknown());
    }
    let own = OwnBlob { digest: digest.clone(), size_bytes: held.offset_bytes, storage_key: held.storage_key.clone() };
    let (blob, in_use) = blobs::name(app, &tx, &own, now).await?;
    db::blobs::link(&tx, held.repository_id, blob.id, allowed.principal().attempt_id(), now).await?;
    tx.commit().await?;
    if !in_use && let Err(error) = objects::remove(app, std::slice::from_ref(&held.storage_key)).await {
        // The push is good, and the copy is left for the sweep.
        tracing::warn!("a copy of {digest} was not removed yet: {}", error.for_log());
    }
    Ok(())
}

/// Drops an upload and its bytes, unless a request writes to it or has finished it meanwhile: then the bytes may be a blob's.
pub async fn cancel(app: &App, upload: &rows::Upload) -> Result<()> {
    let _place = app.uploads.hold(upload.id).ok_or_else(busy)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // Whose lease ran out may write all the same, for as long as it takes to notice.
    let is_idle = upload.locked_until.is_none();
    let remove_at = if is_idle { now } else { now + HOUR };
    if !db::uploads::delete_free(&tx, upload, now, remove_at).await? {
        return Err(if db::uploads::exists(&tx, upload.id).await? { busy() } else { unknown() });
    }
    tx.commit().await?;
    app.uploads.forget(upload.id);
    if is_idle { objects::remove(app, std::slice::from_ref(&upload.storage_key)).await } else { Ok(()) }
}

/// Drops an upload that the caller holds.
async fn discard(app: &App, held: &Held<'_>) -> Result<()> {
    let tx = app.db.begin().await?;
    if !db::uploads::delete_held(&tx, &held.row, app.clock.now()).await? {
        return Err(unknown());
    }
    tx.commit().await?;
    objects::remove(app, std::slice::from_ref(&held.row.storage_key)).await
}

/// Links a blob of another repository: needs both proofs. False when it is not there.
pub async fn mount(app: &App, into: &Allowed<PushImage>, from: &Allowed<PullImage>, digest: &Digest) -> Result<bool> {
    let Some(blob) = db::blobs::find_linked(&app.db, from.on().id, digest).await? else { return Ok(false) };
    // What comes next, the manifest, is refused then anyway.
    app.room()?;
    let repository = repositories::ensure(app, into).await?;
    let tx = app.db.begin().await?;
    if !db::blobs::revive(&tx, &[blob.id]).await? {
        return Ok(false);
    }
    db::blobs::link(&tx, repository.id, blob.id, into.principal().attempt_id(), app.clock.now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// Forgets uploads that were left lying, with their bytes, and the repositories of first pushes that broke off: all of
/// them, each in a transaction of its own.
pub async fn forget_old(app: &App) -> Result<()> {
    let before = app.clock.now() - FORGOTTEN_AFTER;
    let mut parts = Parts::default();
    let mut after = Uuid::nil();
    loop {
        let left = db::uploads::stale(&app.db, before, after, AT_ONCE).await?;
        let Some(last) = left.last() else { break };
        after = last.id;
        for upload in &left {
            match cancel(app, upload).await {
                // Somebody goes on with it after all, or has just finished it.
                Err(Error::Conflict(_) | Error::Registry { .. }) => {}
                done => parts.note(&format!("forgetting upload {}", upload.id), done),
            }
        }
    }
    loop {
        let left = db::repositories::left_provisional(&app.db, before, AT_ONCE).await?;
        if left.is_empty() {
            return parts.end();
        }
        for repository in left {
            let tx = app.db.begin().await?;
            removal::begin(app, &tx, &repository).await?;
            tx.commit().await?;
        }
    }
}

/// One process writes in a data folder, and this is it: what the last one had locked is free. On PostgreSQL other
/// servers have locks of their own.
pub async fn at_start(app: &App) -> Result<()> {
    let tx = app.db.begin().await?;
    db::uploads::forget_locks(&tx, app.server_id).await?;
    tx.commit().await
}
