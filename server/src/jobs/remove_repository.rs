//! Removes a repository that was deleted: its builds first, so that no builder works for it, then its sources, then
//! what it held. Each step may be done already. A large one takes several turns.

use super::{JobError, Turn};
use crate::app::App;
use crate::registry::removal;
use crate::{builds, sources};
use uuid::Uuid;

pub(super) async fn run(app: &App, repository_id: Uuid) -> Result<(), JobError> {
    if removal::find(app, repository_id).await?.is_none() {
        return Ok(());
    }
    let mut turn = Turn::begin();
    let is_empty = builds::removal::end(app, repository_id, &mut turn).await?
        && builds::removal::remove(app, repository_id, &mut turn).await?
        && sources::forget_repository(app, repository_id, &mut turn).await?
        && removal::content(app, repository_id, &mut turn).await?;
    if is_empty {
        return Ok(removal::end(app, repository_id).await?);
    }
    Ok(removal::ask_again(app, repository_id).await?)
}
