//! The builds of a repository that is being deleted: first they end, then their rows and logs go.

use super::ending;
use super::states::{Why, enter};
use crate::app::App;
use crate::db::{self, AttemptEnd, BuildState};
use crate::error::Result;
use crate::jobs::Turn;
use crate::policy::Principal;
use crate::registry::objects;
use crate::registry::removal::ROWS;
use uuid::Uuid;

/// Builds of one transaction.
const BUILDS: u64 = 20;

/// Ends what waits or runs. A builder hears with its next call that its attempt is over, and drops the work. The forge
/// is not told: the page that its status would name is gone.
/// False when the turn is over before all have ended.
pub async fn end(app: &App, repository_id: Uuid, turn: &mut Turn) -> Result<bool> {
    while turn.has_piece(app) {
        let tx = app.db.begin().await?;
        let open = db::removal::open_builds(&tx, repository_id, BUILDS).await?;
        if open.is_empty() {
            return Ok(true);
        }
        let now = app.clock.now();
        for mut build in open {
            for attempt in db::attempts::of_build(&tx, build.id).await? {
                db::attempts::end(&tx, attempt.id, AttemptEnd::Cancelled, now).await?;
            }
            let why = Why::new("repository_deleted", "its repository was deleted");
            enter(&mut build, BuildState::Cancelled, why, now)?;
            db::builds::save(&tx, &build).await?;
            ending::announce(&tx, &Principal::SYSTEM, &build, now).await?;
            ending::wake_after(app, &tx, &build);
        }
        tx.commit().await?;
    }
    Ok(false)
}

/// Removes the builds, their attempts, steps, materials and logs; sealed logs go from storage later. False when the turn
/// is over before all are gone.
pub async fn remove(app: &App, repository_id: Uuid, turn: &mut Turn) -> Result<bool> {
    loop {
        let (builds, attempts) = db::removal::next_builds(&app.db, repository_id, BUILDS).await?;
        if builds.is_empty() {
            return Ok(true);
        }
        loop {
            if !turn.has_piece(app) {
                return Ok(false);
            }
            if part(app, &builds, &attempts).await? == 0 {
                break;
            }
        }
        let tx = app.db.begin().await?;
        db::removal::builds(&tx, &builds, &attempts).await?;
        tx.commit().await?;
    }
}

async fn part(app: &App, builds: &[Uuid], attempts: &[Uuid]) -> Result<u64> {
    let tx = app.db.begin().await?;
    let mut gone = db::removal::logs(&tx, attempts, ROWS, objects::kept_until(app)).await?;
    if gone == 0 {
        gone = db::removal::steps(&tx, attempts, ROWS).await?;
    }
    if gone == 0 {
        gone = db::removal::materials(&tx, builds, ROWS).await?;
    }
    tx.commit().await?;
    Ok(gone)
}
