//! The end of stored bytes: those that no row names go once their time is over, and their own row goes after them.

use crate::app::App;
use crate::clock::{HOUR, Millis, SECOND};
use crate::db::{self, ObjectKey};
use crate::error::{Parts, Result};

/// Of one transaction.
const AT_ONCE: u64 = 200;

/// Until when bytes are kept that a row named until now: whoever reads them, or saves them in a backup, comes to its end.
pub fn kept_until(app: &App) -> Millis {
    let kept = i64::try_from(app.config.keep_removed_secs).unwrap_or(i64::MAX / 2_000);
    app.clock.now() + kept * SECOND
}

/// Lets go of bytes of ours that no row came to name, and removes them.
pub async fn discard(app: &App, key: &ObjectKey) -> Result<()> {
    let tx = app.db.begin().await?;
    db::objects::release(&tx, std::slice::from_ref(key), app.clock.now()).await?;
    tx.commit().await?;
    remove(app, std::slice::from_ref(key)).await
}

/// Removes the bytes of objects that no row names, and nobody writes to. What storage does not let go of is left for a
/// later `sweep`, and keeps no other from going; then this ends with the first error.
pub(super) async fn remove(app: &App, keys: &[ObjectKey]) -> Result<()> {
    let (mut gone, mut stuck, mut parts) = (Vec::new(), Vec::new(), Parts::default());
    for (key, done) in keys.iter().zip(app.storage.remove(keys).await?) {
        if done.is_ok() { &mut gone } else { &mut stuck }.push(key.clone());
        parts.note(&format!("removing {key} from storage"), done);
    }
    let tx = app.db.begin().await?;
    db::objects::forget(&tx, &gone).await?;
    db::objects::postpone(&tx, &stuck, app.clock.now() + HOUR).await?;
    tx.commit().await?;
    parts.end()
}

/// Removes what nobody owns, until nothing is due. Safe beside writers, other servers and a crash at any point: what is
/// being written is not due for a day, whoever names an object and whoever takes it for removal change the same row,
/// and a key is never used again.
pub async fn sweep(app: &App) -> Result<()> {
    loop {
        let left = db::objects::ownerless(&app.db, AT_ONCE).await?;
        if left.is_empty() {
            break;
        }
        let tx = app.db.begin().await?;
        db::objects::release_ownerless(&tx, &left, kept_until(app)).await?;
        tx.commit().await?;
    }
    let mut parts = Parts::default();
    loop {
        let tx = app.db.begin().await?;
        let due = db::objects::claim_due(&tx, app.clock.now(), AT_ONCE).await?;
        tx.commit().await?;
        if due.is_empty() {
            return parts.end();
        }
        let done = remove(app, &due).await;
        // What is stuck is not due for an hour; without the database it would be due at once.
        if done.as_ref().is_err_and(db::failed) {
            return done;
        }
        parts.note("removing what is due", done);
    }
}
