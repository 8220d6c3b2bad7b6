//! Whether code is private, and what follows when it turns so: the images made from it stop being public.
//!
//! The one place that writes `source.is_private`. Only the turn counts. Code that was private all along says nothing about
//! an image that somebody made public, and code that turns public publishes nothing.

use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, Tx, Visibility, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The event's cause, and what pages recognise it by.
const CAUSE: &str = "its code turned private";

/// Notes what the forge says of a code repository now: names, addresses, default branch, and whether it is private.
pub async fn note_facts(app: &App, tx: &Tx, facts: &rows::Source) -> Result<()> {
    let Some(before) = db::sources::lock(tx, facts.id).await? else { return Ok(()) };
    db::sources::set_facts(tx, facts).await?;
    if facts.is_private && !before.is_private { hide(app, tx, facts).await } else { Ok(()) }
}

/// Notes that a code repository is private, as far as it was not known.
pub async fn note_private(app: &App, tx: &Tx, source_id: Uuid) -> Result<()> {
    let Some(source) = db::sources::lock(tx, source_id).await?.filter(|s| !s.is_private) else { return Ok(()) };
    let facts = rows::Source { is_private: true, ..source };
    db::sources::set_facts(tx, &facts).await?;
    hide(app, tx, &facts).await
}

/// Notes which of the code repositories that a forge listed as private are sources that were public.
pub async fn note_listed(app: &App, tx: &Tx, forge_url: &str, private: &[&str]) -> Result<()> {
    for source in db::sources::public_of_remotes(tx, forge_url, private).await? {
        note_private(app, tx, source.id).await?;
    }
    Ok(())
}

/// Makes what the source fills private. Where several sources fill one repository, one that turns private is enough:
/// the images hold its code.
async fn hide(app: &App, tx: &Tx, source: &rows::Source) -> Result<()> {
    let rules = db::sources::rules_of(tx, source.id).await?;
    // In one order, whoever else locks several.
    let filled: BTreeSet<Uuid> = rules.into_iter().map(|rule| rule.repository_id).collect();
    let now = app.clock.now();
    for id in filled {
        db::repositories::lock(tx, id).await?;
        let Some(repository) = db::repositories::find(tx, id).await? else { continue };
        if repository.visibility == Visibility::Private {
            continue;
        }
        db::repositories::set_visibility(tx, id, Visibility::Private, now).await?;
        db::turned_private::note(tx, id, source.id, now).await?;
        let namespace = db::namespaces::find(tx, repository.namespace_id).await?;
        let event = NewEvent {
            kind: "repository.visibility_changed",
            namespace_id: Some(repository.namespace_id),
            repository_id: Some(id),
            subject: format!("{}/{}", namespace.map(|n| n.name).unwrap_or_default(), repository.name),
            cause: Some(CAUSE.into()),
            body: json!({"from": Visibility::Public, "to": Visibility::Private, "source_id": source.id}),
        };
        db::events::add(tx, &Principal::SYSTEM, event, now).await?;
        tracing::info!(repository.id = %id, source.id = %source.id, "{} is private now: {CAUSE}", repository.name);
        let wake = app.wake.clone();
        tx.on_commit(move || wake.changed(id));
    }
    Ok(())
}

/// When a repository became private because its code did, and which code that was; until somebody chooses anew.
pub async fn turned(app: &App, repository_id: Uuid) -> Result<Option<(rows::TurnedPrivate, Option<rows::Source>)>> {
    let Some(turned) = db::turned_private::find(&app.db, repository_id).await? else { return Ok(None) };
    let source = match turned.source_id {
        Some(id) => db::sources::find(&app.db, id).await?,
        None => None,
    };
    Ok(Some((turned, source)))
}
