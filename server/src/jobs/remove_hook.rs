//! Removes the webhook of a source that is gone here. What cannot be removed is left: its calls answer 401.

use super::JobError;
use crate::app::App;
use crate::db;
use crate::error::{Error, ForgeError};
use crate::forge::Forge;
use uuid::Uuid;

pub(super) async fn run(
    app: &App,
    connection_id: Uuid,
    forge_url: &str,
    repository_remote_id: &str,
    hook_remote_id: &str,
) -> Result<(), JobError> {
    let Some(connection) = db::users::find_connection(&app.db, connection_id).await? else { return Ok(()) };
    let forge = match Forge::of_connection(app, forge_url, &connection) {
        Ok(forge) => forge,
        Err(Error::Forge(ForgeError::Revoked)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match forge.delete_hook(repository_remote_id, hook_remote_id).await {
        Ok(()) | Err(ForgeError::Revoked | ForgeError::NotApproved | ForgeError::Refused(_)) => Ok(()),
        Err(error) => Err(Error::from(error).into()),
    }
}
