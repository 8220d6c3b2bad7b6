//! What a webhook delivered: kept with the job that reads it, and nothing else in the request. Whatever it says, the refs
//! are compared soon after it.

use super::{hook_secret_place, polling};
use crate::app::App;
use crate::db::sources::deliveries::{self, WAITING};
use crate::db::{self, rows};
use crate::error::Result;
use crate::jobs::{self, Task};
use crate::secrets::Secret;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What a webhook is of.
pub type Source = rows::Source;

/// The source that a webhook's address names.
pub async fn source(app: &App, id: Uuid) -> Result<Option<rows::Source>> {
    db::sources::find(&app.db, id).await
}

/// What its forge signs with.
pub fn secret(app: &App, source: &rows::Source) -> Result<Secret> {
    app.master_key.open_text(hook_secret_place(source.id), &source.hook_secret_encrypted)
}

/// Writes the delivery of an event and its job in one transaction; false when the same body came before.
/// `remote_id` is the forge's name of the delivery; empty when it gave none.
pub async fn keep(app: &App, source: &rows::Source, event: &str, remote_id: &str, body: &[u8]) -> Result<bool> {
    // Nothing is lost by it: the refs are compared with the forge now and then, whatever was delivered.
    app.room()?;
    let now = app.clock.now();
    let remote_id: String = remote_id.chars().take(100).collect();
    let delivery_id = Uuid::now_v7();
    let row = rows::HookDelivery {
        id: delivery_id,
        source_id: source.id,
        body_sha256: hex::encode(Sha256::digest(body)),
        event: event.to_owned(),
        remote_id: Some(remote_id).filter(|id| !id.is_empty()),
        body: body.to_vec(),
        outcome: WAITING.to_owned(),
        received_at: now,
    };
    let tx = app.db.begin().await?;
    let is_new = deliveries::insert(&tx, row).await?;
    if is_new {
        jobs::enqueue(app, &tx, &Task::ProcessDelivery { delivery_id }, None).await?;
        db::sources::note_delivery(&tx, source.id, now).await?;
    }
    polling::after_delivery(app, &tx, source).await?;
    tx.commit().await?;
    Ok(is_new)
}

/// A signed delivery came that is not kept, since it cannot be read or is not needed: what it may have told of is looked
/// for.
pub async fn look_soon(app: &App, source: &rows::Source) -> Result<()> {
    if polling::is_due_soon(app, source) {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    polling::after_delivery(app, &tx, source).await?;
    tx.commit().await
}

/// The webhook works: its forge said hello.
pub async fn greet(app: &App, source: &rows::Source) -> Result<()> {
    let tx = app.db.begin().await?;
    db::sources::note_delivery(&tx, source.id, app.clock.now()).await?;
    tx.commit().await
}
