//! Makes the webhook of a source at its forge, or puts it right.
//!
//! It counts as working when the forge has called it: until then, and where it is refused, the source is polled.

use super::{JobError, Task, enqueue};
use crate::app::App;
use crate::db::{self, HookState, rows};
use crate::error::{Error, ForgeError, Result};
use crate::sources::{self, Link, hook_secret_place, hook_url};
use uuid::Uuid;

pub(super) async fn run(app: &App, source_id: Uuid) -> Result<(), JobError> {
    let Some(source) = db::sources::find(&app.db, source_id).await? else { return Ok(()) };
    let result = match sources::link(app, &source).await {
        Ok(link) => ensure(app, &source, &link).await,
        Err(error) => Err(error),
    };
    let refusal = match result {
        Ok(()) => return Ok(()),
        Err(Error::Forge(ForgeError::Refused(text))) => text,
        // GitHub answers 404 to those who may see a repository, but not its settings.
        Err(Error::Forge(ForgeError::NotFound)) => "this account may not add webhooks there".to_owned(),
        Err(Error::Forge(error @ (ForgeError::NotApproved | ForgeError::Revoked))) => error.to_string(),
        Err(error) => return Err(error.into()),
    };
    tracing::info!(source.id = %source.id, "no webhook for {}: {refusal}; it is polled", source.full_name);
    let tx = app.db.begin().await?;
    db::sources::set_hook(&tx, source.id, HookState::Refused, Some(refusal)).await?;
    tx.commit().await?;
    Ok(())
}

async fn ensure(app: &App, source: &rows::Source, link: &Link) -> Result<()> {
    let (forge, url) = (&link.forge, hook_url(app, source));
    let secret = app.master_key.open_text(hook_secret_place(source.id), &source.hook_secret_encrypted)?;
    let existing = forge.find_hook(&source.remote_id, &url).await?;
    let id = forge.save_hook(&source.remote_id, existing.as_deref(), &url, &secret).await?;
    let tx = app.db.begin().await?;
    db::sources::set_hook_remote_id(&tx, source.id, Some(id.clone())).await?;
    // The ping of a new hook may have been here before us: what is known to work stays so.
    let known = db::sources::find(&tx, source.id).await?;
    if known.is_some_and(|s| s.hook_state == HookState::Refused) {
        db::sources::set_hook(&tx, source.id, HookState::Pending, None).await?;
    }
    if source.hook_state != HookState::Active {
        // Nobody told of what was pushed before.
        let task = Task::PollSource { source_id: source.id };
        enqueue(app, &tx, &task, Some(format!("poll:{}", source.id))).await?;
    }
    tx.commit().await?;
    // A new hook is pinged by the forge itself; one more does no harm.
    match forge.ping_hook(&source.remote_id, &id).await {
        // The hook is there, and its first delivery shows that it works: not every forge pings when asked to.
        Ok(()) | Err(ForgeError::NotFound | ForgeError::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
