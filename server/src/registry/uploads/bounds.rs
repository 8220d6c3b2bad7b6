//! What one account, or one attempt of a build, may have begun and not ended: uploads, first pushes, and their bytes.
//!
//! Two requests at once may both find the last place free; a bound is over by as many as come at once, at most.

use crate::app::App;
use crate::db::{self, Ask, PrincipalKind};
use crate::error::{Error, Result};
use uuid::Uuid;

/// Who begins something, as rows know it.
pub(in super::super) type Who = (PrincipalKind, Option<Uuid>);

fn name(who: Who) -> &'static str {
    if who.0 == PrincipalKind::Build { "one build" } else { "one account" }
}

/// Refuses one more upload when as many are open as there may be.
pub(super) async fn one_more_upload(app: &App, c: &impl Ask, who: Who) -> Result<()> {
    let (open, most) = (db::uploads::open_of(c, who.0, who.1).await?.len() as u64, app.config.uploads.open);
    if open < most {
        return Ok(());
    }
    Err(Error::TooMany(format!(
        "{open} uploads are open, and {} may have {most}: finish or cancel some of them; one that nobody goes on with \
         is forgotten after a day",
        name(who)
    )))
}

/// Refuses one more repository without a manifest when there are as many as there may be.
pub(in super::super) async fn one_more_repository(app: &App, c: &impl Ask, who: Who) -> Result<()> {
    let (begun, most) =
        (db::repositories::provisional_of(c, who.0, who.1).await?.len() as u64, app.config.uploads.open);
    if begun < most {
        return Ok(());
    }
    Err(Error::TooMany(format!(
        "{begun} repositories were begun without a manifest, and {} may have {most}: push the manifests of some; one \
         that gets nothing for a day is forgotten",
        name(who)
    )))
}

/// Refuses more bytes when those that are held in uploads, and in repositories without a manifest, are as many as there
/// may be. Bytes that this process is receiving count from their first look on.
pub(super) async fn more_bytes(app: &App, who: Who) -> Result<()> {
    let most = app.config.uploads.bytes;
    let uploads = db::uploads::open_of(&app.db, who.0, who.1).await?;
    let coming = app.uploads.coming(uploads.iter().map(|(id, _)| *id));
    let begun = db::repositories::provisional_of(&app.db, who.0, who.1).await?;
    let stored = uploads.iter().map(|(_, bytes)| *bytes).sum::<i64>() + db::blobs::size_of(&app.db, &begun).await?;
    let held = u64::try_from(stored).unwrap_or_default() + coming;
    if held < most {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "{held} bytes are held by uploads and first pushes that have not ended, and {} may hold {most}: push the \
         manifests of what is here or cancel uploads, then try again; what nobody goes on with is forgotten after a day",
        name(who)
    )))
}
