//! An upload in the hands of one request: nobody else writes to it or closes it meanwhile.

use super::open::Place;
use super::{bounds, busy, unknown};
use crate::app::App;
use crate::clock::MINUTE;
use crate::db::{self, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::{Algorithm, Hasher};
use crate::storage;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use std::time::Duration;

/// A writer whose process is gone has lost the upload after so long; a living one extends it.
const LEASE: i64 = 2 * MINUTE;
/// A client that sends nothing for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);
/// How often one stream asks for the room that is left: so much it can take from what has to stay free.
const LOOK_EVERY: usize = 16 << 20;
/// docker and its kin read no answer before they have sent it all; what they send for so long is thrown away.
const LINGER: Duration = Duration::from_secs(10);

/// What a client sends.
pub trait Body: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Body for S {}

/// An upload that is held, in the database and in this process.
pub(super) struct Held<'a> {
    pub(super) row: rows::Upload,
    place: Place<'a>,
}

/// Takes the upload for writing at its end, which is where the client wants to go on.
pub(super) async fn lock<'a>(
    app: &'a App,
    upload: &rows::Upload,
    from: Option<u64>,
    location: &str,
) -> Result<Held<'a>> {
    let wrong = |stored: i64| {
        let offset = u64::try_from(stored).unwrap_or_default();
        Error::WrongOffset { offset, location: location.to_owned() }
    };
    if from.is_some_and(|from| i64::try_from(from) != Ok(upload.offset_bytes)) {
        return Err(wrong(upload.offset_bytes));
    }
    let place = app.uploads.hold(upload.id).ok_or_else(busy)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let Some(row) = db::uploads::lock(&tx, upload.id, app.server_id, now, now + LEASE).await? else {
        return Err(if db::uploads::exists(&tx, upload.id).await? { busy() } else { unknown() });
    };
    if row.offset_bytes != upload.offset_bytes {
        return Err(wrong(row.offset_bytes));
    }
    tx.commit().await?;
    Ok(Held { row, place })
}

async fn receive(
    app: &App,
    held: &Held<'_>,
    writer: &mut storage::Writer,
    body: &mut impl Body,
    silence: Duration,
) -> Result<()> {
    let broke_off = |why: &str| Error::registry(OciCode::BlobUploadInvalid, format!("the upload broke off: {why}"));
    let mut extended = app.clock.now();
    let (mut unseen, mut come) = (0, 0);
    loop {
        let next = tokio::time::timeout(silence, body.next()).await;
        let Some(chunk) = next.map_err(|_late| Error::TooSlow)? else { return Ok(()) };
        let chunk = chunk.map_err(|e| broke_off(&e.to_string()))?;
        unseen += chunk.len();
        come += chunk.len() as u64;
        if unseen > LOOK_EVERY {
            unseen = 0;
            app.room()?;
            held.place.note(come);
            bounds::more_bytes(app, (held.row.principal_kind, held.row.principal_id)).await?;
        }
        writer.write(chunk).await?;
        let now = app.clock.now();
        if now - extended > LEASE / 4 {
            extended = now;
            extend(app, &held.row).await?;
        }
    }
}

async fn extend(app: &App, held: &rows::Upload) -> Result<()> {
    let tx = app.db.begin().await?;
    if !db::uploads::extend(&tx, held.id, held.version, app.clock.now() + LEASE).await? {
        return Err(busy());
    }
    tx.commit().await
}

/// Writes to an upload that is held; it stays so unless this fails.
pub(super) async fn write<'a>(
    app: &App,
    held: Held<'a>,
    body: impl Body,
    algorithm: Algorithm,
) -> Result<(Held<'a>, Hasher)> {
    write_within(SILENCE, app, held, body, algorithm).await
}

async fn write_within<'a>(
    silence: Duration,
    app: &App,
    held: Held<'a>,
    mut body: impl Body,
    algorithm: Algorithm,
) -> Result<(Held<'a>, Hasher)> {
    let hash = match hash_so_far(app, &held.row, algorithm).await {
        Ok(hash) => hash,
        Err(error) => return Err(give_up(app, &held, error).await),
    };
    let offset = u64::try_from(held.row.offset_bytes).unwrap_or_default();
    let mut writer = app.storage.write(&held.row.storage_key, offset, hash.clone());
    let broke_off = match receive(app, &held, &mut writer, &mut body, silence).await {
        Ok(()) => None,
        // What arrived before a client broke off, or sent nothing more, stays: the upload goes on from there.
        Err(error @ (Error::Registry { .. } | Error::TooSlow)) => Some(error),
        // The bytes are somebody else's by now.
        Err(error @ Error::Conflict(_)) => return Err(error),
        Err(error) => {
            let cut = writer.undo().await;
            return Err(refuse(app, &held, hash, body, cut.err().unwrap_or(error)).await);
        }
    };
    let (hash, written) = match writer.finish().await {
        Ok(done) => done,
        Err(error) => return Err(refuse(app, &held, hash, body, error).await),
    };
    let offset_bytes = held.row.offset_bytes + i64::try_from(written).unwrap_or(i64::MAX);
    let held = Held { row: rows::Upload { offset_bytes, ..held.row }, ..held };
    match broke_off {
        None => Ok((held, hash)),
        Some(error) => {
            app.uploads.keep(held.row.id, offset_bytes, hash);
            Err(give_up(app, &held, error).await)
        }
    }
}

/// Lets go of an upload whose new bytes could not be kept: it is as it was before the request.
async fn refuse(app: &App, held: &Held<'_>, before: Hasher, mut body: impl Body, error: Error) -> Error {
    app.uploads.keep(held.row.id, held.row.offset_bytes, before);
    let error = give_up(app, held, error).await;
    if matches!(error, Error::Full | Error::Forbidden(_)) {
        let rest = async { while let Some(Ok(_)) = body.next().await {} };
        let _all_or_late = tokio::time::timeout(LINGER, rest).await;
    }
    error
}

/// Lets go after a failure, which stays the one to tell of.
pub(super) async fn give_up(app: &App, held: &Held<'_>, error: Error) -> Error {
    if let Err(second) = release(app, held).await {
        tracing::debug!("an upload was not let go: {}", second.for_log());
    }
    error
}

/// Commits the offset that is stored.
pub(super) async fn release(app: &App, held: &Held<'_>) -> Result<()> {
    let row = &held.row;
    let tx = app.db.begin().await?;
    if !db::uploads::unlock(&tx, row.id, row.version, row.offset_bytes, app.clock.now()).await? {
        return Err(busy());
    }
    tx.commit().await
}

/// The hash of what is stored, by which a digest of this algorithm can be made. Nothing is hashed twice unless the server
/// was restarted meanwhile, or the upload was begun without a word of sha512.
pub(super) async fn hash_so_far(app: &App, held: &rows::Upload, algorithm: Algorithm) -> Result<Hasher> {
    let known = app.uploads.take(held.id, held.offset_bytes).filter(|hash| hash.makes(algorithm));
    match (known, u64::try_from(held.offset_bytes)) {
        (Some(hash), _) => Ok(hash),
        // An upload without bytes has no file yet.
        (None, Ok(0) | Err(_)) => Ok(Hasher::new(algorithm)),
        (None, Ok(length)) => app.storage.hash(&held.storage_key, length, algorithm).await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::uploads_held::Push;
    use super::*;
    use crate::testing::on_postgres;
    use futures_util::stream;

    on_postgres! { an_upload_that_stands_still_came_too_slowly_and_keeps_its_bytes }

    #[tokio::test]
    async fn an_upload_that_stands_still_came_too_slowly_and_keeps_its_bytes() {
        let push = Push::new().await;
        let upload = push.start().await;
        let held = lock(push.app(), &upload, None, "/").await.unwrap();
        let body = stream::iter([Ok(Bytes::from_static(b"hello"))]).chain(stream::pending());
        let written = write_within(Duration::from_millis(50), push.app(), held, body, Algorithm::Sha256).await;
        assert!(matches!(written, Err(Error::TooSlow)));
        let now = db::uploads::find(&push.app().db, upload.repository_id, upload.id).await.unwrap().unwrap();
        assert_eq!((now.offset_bytes, now.locked_until), (5, None));
    }

    #[tokio::test]
    async fn a_lost_lease_is_noticed() {
        let push = Push::new().await;
        let upload = push.start().await;
        let held = lock(push.app(), &upload, None, "/").await.unwrap();
        extend(push.app(), &held.row).await.unwrap();
        let taken_over = rows::Upload { version: held.row.version - 1, ..held.row.clone() };
        assert!(matches!(extend(push.app(), &taken_over).await, Err(Error::Conflict(_))));
    }
}
