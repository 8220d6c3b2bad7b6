//! `slipway admin user`: people who were made here, and shutting somebody out.

use super::user;
use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, rows};
use crate::error::{Error, Result};
use crate::names::NamespaceName;
use crate::policy::Principal;
use serde_json::json;
use uuid::Uuid;

pub(super) async fn add(app: &App, name: &str) -> Result<String> {
    let name: NamespaceName = name.parse().map_err(|_rule: Error| {
        Error::invalid(format!(
            "`{name}` is no name for a person; write lower-case letters and digits, with single dashes between"
        ))
    })?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if db::users::find_by_name(&tx, name.as_str()).await?.is_some() {
        return Err(Error::Conflict(format!("user `{name}` exists already")));
    }
    let row = rows::User {
        id: Uuid::now_v7(),
        name: name.to_string(),
        display_name: None,
        is_site_admin: false,
        created_at: now,
        disabled_at: None,
        admitted_by: None,
        admitted_at: None,
        suspended_at: None,
        suspended_because: None,
    };
    let user = db::users::insert(&tx, row).await?;
    note(app, &tx, "user.created", &user).await?;
    tx.commit().await?;
    Ok(format!("user `{name}` was made"))
}

pub(super) async fn set_disabled(app: &App, name: &str, disabled: bool) -> Result<String> {
    let tx = app.db.begin().await?;
    let user = user(&tx, name).await?;
    let (kind, word) = if disabled { ("user.disabled", "disabled") } else { ("user.enabled", "enabled") };
    db::users::set_disabled(&tx, user.id, disabled.then(|| app.clock.now())).await?;
    note(app, &tx, kind, &user).await?;
    tx.commit().await?;
    Ok(format!("user `{name}` is {word}"))
}

async fn note(app: &App, tx: &db::Tx, kind: &'static str, user: &rows::User) -> Result<()> {
    let event = NewEvent {
        kind,
        namespace_id: None,
        repository_id: None,
        subject: user.name.clone(),
        cause: Some("command line".into()),
        body: json!({"user_id": user.id}),
    };
    db::events::add(tx, &Principal::SYSTEM, event, app.clock.now()).await
}
