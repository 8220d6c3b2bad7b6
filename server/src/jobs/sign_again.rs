//! Signs the images of a namespace with its new key.

use super::JobError;
use crate::app::App;
use crate::trust;
use uuid::Uuid;

pub(super) async fn run(app: &App, namespace_id: Uuid) -> Result<(), JobError> {
    Ok(trust::sign_again(app, namespace_id).await?)
}
