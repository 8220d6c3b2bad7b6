//! An upload in the hands of one request: nobody else writes to it or closes it meanwhile.

use super::{busy, unknown};
use crate::app::App;
use crate::clock::MINUTE;
use crate::db::{self, rows};
use crate::error::{Error, OciCode, Result};
use crate::storage;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use uuid::Uuid;

/// A writer whose process is gone has lost the upload after so long; a living one extends it.
const LEASE: i64 = 2 * MINUTE;
/// A client that sends nothing for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);
// About 150 bytes each.
const MOST_HASHES: usize = 20_000;

/// Hashes of uploads between two requests, so that bytes are hashed once; after a restart they are hashed again from storage.
#[derive(Default)]
pub struct OpenUploads(Mutex<HashMap<Uuid, (i64, Sha256)>>);

impl OpenUploads {
    pub(super) fn keep(&self, id: Uuid, offset: i64, hash: Sha256) {
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

/// What a client sends.
pub trait Body: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Body for S {}

/// Takes the upload for writing at its end, which is where the client wants to go on.
pub(super) async fn lock(app: &App, upload: &rows::Upload, from: Option<u64>, location: &str) -> Result<rows::Upload> {
    let wrong = |stored: i64| {
        let offset = u64::try_from(stored).unwrap_or_default();
        Error::WrongOffset { offset, location: location.to_owned() }
    };
    if from.is_some_and(|from| i64::try_from(from) != Ok(upload.offset_bytes)) {
        return Err(wrong(upload.offset_bytes));
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let Some(held) = db::uploads::lock(&tx, upload.id, now, now + LEASE).await? else {
        return Err(if db::uploads::exists(&tx, upload.id).await? { busy() } else { unknown() });
    };
    if held.offset_bytes != upload.offset_bytes {
        return Err(wrong(held.offset_bytes));
    }
    tx.commit().await?;
    Ok(held)
}

async fn receive(app: &App, held: &rows::Upload, writer: &mut storage::Writer, mut body: impl Body) -> Result<()> {
    let broke_off = |why: &str| Error::registry(OciCode::BlobUploadInvalid, format!("the upload broke off: {why}"));
    let mut extended = app.clock.now();
    loop {
        let next = tokio::time::timeout(SILENCE, body.next()).await;
        let Some(chunk) = next.map_err(|_late| broke_off("nothing came for a minute"))? else { return Ok(()) };
        writer.write(chunk.map_err(|e| broke_off(&e.to_string()))?).await;
        let now = app.clock.now();
        if now - extended > LEASE / 4 {
            extended = now;
            let tx = app.db.begin().await?;
            db::uploads::extend(&tx, held.id, held.version, now + LEASE).await?;
            tx.commit().await?;
        }
    }
}

/// Writes to an upload that is held; it stays so unless this fails.
pub(super) async fn write(app: &App, held: rows::Upload, body: impl Body) -> Result<(rows::Upload, Sha256)> {
    let hash = match hash_so_far(app, &held).await {
        Ok(hash) => hash,
        Err(error) => return Err(give_up(app, &held, error).await),
    };
    let offset = u64::try_from(held.offset_bytes).unwrap_or_default();
    let mut writer = app.storage.write(&held.storage_key, offset, hash);
    let received = receive(app, &held, &mut writer, body).await;
    let (hash, written) = match writer.finish().await {
        Ok(done) => done,
        Err(error) => return Err(give_up(app, &held, error).await),
    };
    let held = rows::Upload { offset_bytes: held.offset_bytes + i64::try_from(written).unwrap_or(i64::MAX), ..held };
    match received {
        Ok(()) => Ok((held, hash)),
        Err(error) => {
            // What arrived before a client broke off stays: the upload goes on from there.
            app.uploads.keep(held.id, held.offset_bytes, hash);
            Err(give_up(app, &held, error).await)
        }
    }
}

/// Lets go after a failure, which stays the one to tell of.
pub(super) async fn give_up(app: &App, held: &rows::Upload, error: Error) -> Error {
    if let Err(second) = release(app, held).await {
        tracing::debug!("an upload was not let go: {}", second.for_log());
    }
    error
}

/// Commits the offset that is stored.
pub(super) async fn release(app: &App, held: &rows::Upload) -> Result<()> {
    let tx = app.db.begin().await?;
    if !db::uploads::unlock(&tx, held.id, held.version, held.offset_bytes, app.clock.now()).await? {
        return Err(Error::Conflict("another request took this upload over".into()));
    }
    tx.commit().await
}

/// The hash of what is stored; nothing is hashed twice unless the server was restarted meanwhile.
pub(super) async fn hash_so_far(app: &App, held: &rows::Upload) -> Result<Sha256> {
    match (app.uploads.take(held.id, held.offset_bytes), u64::try_from(held.offset_bytes)) {
        (Some(hash), _) => Ok(hash),
        // An upload without bytes has no file yet.
        (None, Ok(0) | Err(_)) => Ok(Sha256::new()),
        (None, Ok(length)) => app.storage.hash(&held.storage_key, length).await,
    }
}
