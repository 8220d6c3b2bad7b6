//! For how long a list says what a person may know: whoever left an organisation is told by nothing but the next list.

use crate::app::App;
use crate::clock::{DAY, HOUR, Millis};
use crate::db::rows;
use crate::error::Result;
use crate::jobs::{self, Task};

/// An older list says nothing.
const LONGEST: Millis = DAY;
/// An older one is asked for again while it is looked at, so that people who come each day always have one.
const FRESH: Millis = 12 * HOUR;

/// Whether a code repository may still be taken for one that the forge lists to a person.
pub(in crate::sources) async fn still_counts(app: &App, listed: &rows::ForgeRepository) -> Result<bool> {
    // A time ahead is of a clock that was wrong then.
    let age = app.clock.now().abs_diff(listed.listed_at);
    if age >= FRESH.unsigned_abs() {
        ask_again(app, listed).await?;
    }
    Ok(age < LONGEST.unsigned_abs())
}

async fn ask_again(app: &App, listed: &rows::ForgeRepository) -> Result<()> {
    let task = Task::ListRepositories { connection_id: listed.connection_id };
    // Also one that failed and waits: a forge that is down is not asked more often because people look.
    if jobs::open(app, &task).await?.contains(&task) {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    jobs::list_repositories(app, &tx, listed.connection_id).await?;
    tx.commit().await
}
