//! Fetches what a connection may import, and says how that went.

use super::JobError;
use crate::app::App;
use crate::db;
use crate::error::{Error, ForgeError};
use crate::forge::Forge;
use crate::sources::{listing, note_revoked};
use uuid::Uuid;

pub(super) async fn run(app: &App, connection_id: Uuid) -> Result<(), JobError> {
    let Some(connection) = db::users::find_connection(&app.db, connection_id).await? else { return Ok(()) };
    let Some(identity) = db::users::find_identity_by_id(&app.db, connection.identity_id).await? else { return Ok(()) };
    let result = match Forge::of_connection(app, &identity.forge_url, &connection) {
        Ok(forge) => listing::fetch(app, &connection, &forge).await,
        Err(error) => Err(error),
    };
    let Err(error) = result else { return Ok(()) };
    let tx = app.db.begin().await?;
    if matches!(error, Error::Forge(ForgeError::Revoked)) {
        note_revoked(app, &tx, &connection).await?;
    }
    if matches!(error, Error::Forge(_) | Error::Unavailable(_)) {
        // The last list stays, and the page tells its age.
        db::users::set_listing(&tx, connection.id, None, Some(error.to_string())).await?;
    }
    tx.commit().await?;
    app.wake.changed(connection.id);
    Err(error.into())
}
