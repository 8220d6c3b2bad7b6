//! Whether code is private, and what follows when it turns so: the images made from it stop being public.
//!
//! The one place that writes `source.is_private`. Only the turn counts. Code that was private all along says nothing about
//! an image that somebody made public, and code that turns public publishes nothing. What one connection hears of a code
//! repository holds for every source of it, in whatever namespace: another connection may hear "not found" and nothing
//! more. That alone hides nothing, since a forge says it of code that was deleted too; pages tell admins.

use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, Tx, Visibility, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The event's cause, and what pages recognise it by.
const CAUSE: &str = "its code turned private";

/// Notes what the forge says of a code repository now: names, addresses, default branch, and whether it is private.
pub async fn note_facts(app: &App, tx: &Tx, facts: &rows::Source) -> Result<()> {
    if facts.is_private {
        note_private(app, tx, facts.id).await?;
    }
    match db::sources::lock(tx, facts.id).await? {
        Some(_) => db::sources::set_facts(tx, facts).await,
        None => Ok(()),
    }
}

/// Notes that a code repository is private, as far as it was not known. Before the source is locked otherwise.
pub async fn note_private(app: &App, tx: &Tx, source_id: Uuid) -> Result<()> {
    let Some(source) = db::sources::find(tx, source_id).await? else { return Ok(()) };
    let others = db::sources::public_of_remotes(tx, &source.forge_url, &[&source.remote_id]).await?;
    turn(app, tx, others.iter().map(|other| other.id).chain([source_id])).await
}

/// Notes which of the code repositories that a forge listed as private are sources that were public.
pub async fn note_listed(app: &App, tx: &Tx, forge_url: &str, private: &[&str]) -> Result<()> {
    let public = db::sources::public_of_remotes(tx, forge_url, private).await?;
    turn(app, tx, public.iter().map(|source| source.id)).await
}

/// Makes those of the sources private that are not yet, and what they fill. Where several sources fill one repository, one
/// that turns private is enough: the images hold its code.
async fn turn(app: &App, tx: &Tx, sources: impl IntoIterator<Item = Uuid>) -> Result<()> {
    // In one order, whoever else locks several; and all sources before the first repository.
    let sources: BTreeSet<Uuid> = sources.into_iter().collect();
    let mut filled = BTreeMap::new();
    for id in sources {
        let Some(source) = db::sources::lock(tx, id).await?.filter(|source| !source.is_private) else { continue };
        db::sources::set_facts(tx, &rows::Source { is_private: true, ..source }).await?;
        filled.extend(db::sources::rules_of(tx, id).await?.into_iter().map(|rule| (rule.repository_id, id)));
    }
    hide(app, tx, filled).await
}

/// Makes repositories private, each because of a source.
async fn hide(app: &App, tx: &Tx, filled: BTreeMap<Uuid, Uuid>) -> Result<()> {
    let now = app.clock.now();
    for (id, source_id) in filled {
        db::repositories::lock(tx, id).await?;
        let Some(repository) = db::repositories::find(tx, id).await? else { continue };
        if repository.visibility == Visibility::Private {
            continue;
        }
        db::repositories::set_visibility(tx, id, Visibility::Private, now).await?;
        db::turned_private::note(tx, id, source_id, now).await?;
        let namespace = db::namespaces::find(tx, repository.namespace_id).await?;
        let event = NewEvent {
            kind: "repository.visibility_changed",
            namespace_id: Some(repository.namespace_id),
            repository_id: Some(id),
            subject: format!("{}/{}", namespace.map(|n| n.name).unwrap_or_default(), repository.name),
            cause: Some(CAUSE.into()),
            body: json!({"from": Visibility::Public, "to": Visibility::Private, "source_id": source_id}),
        };
        db::events::add(tx, &Principal::SYSTEM, event, now).await?;
        tracing::info!(repository.id = %id, source.id = %source_id, "{} is private now: {CAUSE}", repository.name);
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
