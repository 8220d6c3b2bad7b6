//! Finds the Dockerfiles of what a connection may import, a few at once: of the most recently pushed ones after a
//! listing, of others when somebody looks at them.

use super::JobError;
use crate::app::App;
use crate::db::{self, ScanState};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::sources::listing;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

/// One call each.
const MOST: u64 = 100;
const AT_ONCE: usize = 4;

pub(super) async fn run(app: &App, connection_id: Uuid, only: &[Uuid]) -> Result<(), JobError> {
    let Some(connection) = db::users::find_connection(&app.db, connection_id).await? else { return Ok(()) };
    let Some(identity) = db::users::find_identity_by_id(&app.db, connection.identity_id).await? else { return Ok(()) };
    let forge = Forge::of_connection(app, &identity.forge_url, &connection)?;
    let ids: Vec<Uuid> = match only {
        [] => db::sources::listing::unscanned(&app.db, connection_id, MOST).await?.iter().map(|r| r.id).collect(),
        some => some.to_vec(),
    };
    // The first refusal ends it: the others would meet the same one, and a later try goes on from here.
    futures_util::stream::iter(ids.into_iter().map(Ok::<_, Error>))
        .try_for_each_concurrent(AT_ONCE, async |id| Box::pin(scan(app, &forge, connection_id, id)).await)
        .await?;
    Ok(())
}

async fn scan(app: &App, forge: &Forge, connection_id: Uuid, id: Uuid) -> Result<()> {
    // Another run may have been here.
    let found = db::sources::listing::find(&app.db, id).await?;
    let pending = found.filter(|r| r.scan_state == ScanState::Pending && r.connection_id == connection_id);
    if let Some(listed) = pending {
        listing::scan(app, forge, &listed).await?;
    }
    Ok(())
}
