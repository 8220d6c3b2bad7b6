//! Cancelling: at once while a build waits; a builder hears of it with its next call.

use super::ending;
use super::states::{Why, is_over};
use crate::app::App;
use crate::db::{self, BuildState, Tx, rows};
use crate::error::{Error, Result};
use crate::names::RefName;
use crate::policy::{Allowed, ManageBuilds, Principal, Who};
use uuid::Uuid;

/// Cancels build `number`. Twice is as once, and a build that is over stays as it is.
pub async fn cancel(app: &App, allowed: &Allowed<ManageBuilds>, number: i64) -> Result<rows::Build> {
    let tx = app.db.begin().await?;
    let missing = || Error::not_found(format!("build {number}"));
    let found = db::builds::find_by_number(&tx, allowed.on().id, number).await?.ok_or_else(missing)?;
    let mut build = db::builds::lock(&tx, found.id).await?.ok_or_else(missing)?;
    if is_over(build.state) || build.cancel_requested_at.is_some() {
        return Ok(build);
    }
    let by = allowed.principal();
    build.cancel_requested_at = Some(app.clock.now());
    build.cancelled_by = Some(name_of(by));
    if build.state == BuildState::Queued {
        let why = cancelled(&build);
        ending::change(app, &tx, by, &mut build, BuildState::Cancelled, why).await?;
    } else {
        db::builds::save(&tx, &build).await?;
    }
    tx.commit().await?;
    ending::wake(app, &build);
    Ok(build)
}

/// Takes the builds of a ref that was deleted at its source out of the queue. Those that run go on, and move no tag.
pub async fn cancel_deleted(app: &App, tx: &Tx, source_id: Uuid, name: &RefName) -> Result<()> {
    for mut build in db::builds::lock_queued_of_source(tx, source_id, name.as_str()).await? {
        let why = Why::new("ref_deleted", format!("{} was deleted", name.title()));
        ending::change(app, tx, &Principal::SYSTEM, &mut build, BuildState::Cancelled, why).await?;
        ending::wake_after(app, tx, &build);
    }
    Ok(())
}

/// Why a build ended that somebody cancelled.
pub(super) fn cancelled(build: &rows::Build) -> Why {
    let who = build.cancelled_by.as_deref().unwrap_or("the server");
    Why::new("cancelled", format!("cancelled by {who}"))
}

fn name_of(by: &Principal) -> String {
    match &by.who {
        Who::User { name, .. } => name.clone(),
        _ => "the server".to_owned(),
    }
}
