//! Adds a bundle of the server's to an image that has one of somebody else, should the push itself not have come to it.

use super::JobError;
use crate::app::App;
use crate::names::Digest;
use crate::trust;
use uuid::Uuid;

pub(super) async fn run(app: &App, repository_id: Uuid, digest: &str) -> Result<(), JobError> {
    let digest: Digest = digest.parse()?;
    Ok(trust::add_bundle(app, repository_id, &digest).await?)
}
