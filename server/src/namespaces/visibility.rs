//! Who may pull a repository without a role.

use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, Visibility};
use crate::error::{Error, Result};
use crate::policy::{AdministerRepository, Allowed};
use serde_json::json;

/// Makes a repository public or private; the same again changes nothing but the sentence that says who chose it.
pub async fn set(app: &App, allowed: &Allowed<AdministerRepository>, visibility: Visibility) -> Result<()> {
    let on = allowed.on();
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // The code may turn private in between: what is chosen comes after it, or before it, whole.
    db::repositories::lock(&tx, on.id).await?;
    let gone = || Error::not_found(format!("repository `{}`", on.name));
    let present = db::repositories::find(&tx, on.id).await?.ok_or_else(gone)?.visibility;
    // A choice, also for what is: the page need not say any more that the code made it.
    db::turned_private::forget(&tx, on.id).await?;
    if present == visibility {
        return tx.commit().await;
    }
    db::repositories::set_visibility(&tx, on.id, visibility, now).await?;
    let event = NewEvent {
        kind: "repository.visibility_changed",
        namespace_id: Some(on.namespace_id),
        repository_id: Some(on.id),
        subject: on.name.to_string(),
        cause: None,
        body: json!({"from": present, "to": visibility}),
    };
    db::events::add(&tx, allowed.principal(), event, now).await?;
    tx.commit().await?;
    app.wake.changed(on.id);
    Ok(())
}
