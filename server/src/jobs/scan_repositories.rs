//! Finds the Dockerfiles of what a connection may import, most recently pushed first, a few at once.

use super::JobError;
use crate::app::App;
use crate::db;
use crate::error::Error;
use crate::forge::Forge;
use crate::sources::listing;
use futures_util::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

/// One call each; older ones are scanned when they are imported.
const MOST: u64 = 100;
const AT_ONCE: usize = 4;

pub(super) async fn run(app: &App, connection_id: Uuid) -> Result<(), JobError> {
    let Some(connection) = db::users::find_connection(&app.db, connection_id).await? else { return Ok(()) };
    let Some(identity) = db::users::find_identity_by_id(&app.db, connection.identity_id).await? else { return Ok(()) };
    let forge = Forge::of_connection(app, &identity.forge_url, &connection)?;
    let listed = db::sources::listing::unscanned(&app.db, connection_id, MOST).await?;
    // The first refusal ends it: the others would meet the same one, and a later try goes on from here.
    futures_util::stream::iter(listed.into_iter().map(Ok::<_, Error>))
        .try_for_each_concurrent(AT_ONCE, async |listed| {
            Box::pin(listing::scan(app, &forge, &listed)).await?;
            Ok(())
        })
        .await?;
    Ok(())
}
