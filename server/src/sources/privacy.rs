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
use crate::forge::RemoteRepository;
use crate::policy::Principal;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The event's cause, and what pages recognise it by.
const CAUSE: &str = "its code turned private";

/// Notes what the forge `said` of a code repository: names, addresses, default branch, and whether it is private. `asked`
/// is the source as it was before the question. False when it was heard meanwhile that the code is private: that is newer
/// than "public", which is left out.
pub async fn note_facts(app: &App, tx: &Tx, asked: &rows::Source, said: RemoteRepository) -> Result<bool> {
    if said.is_private {
        note_private(app, tx, asked.id).await?;
    }
    let Some(known) = db::sources::lock(tx, asked.id).await? else { return Ok(true) };
    // A source that was private before may have been told so once more.
    let heard = !asked.is_private || asked.delivered_at != known.delivered_at;
    let is_outdated = known.is_private && !said.is_private && heard;
    let facts = rows::Source {
        full_name: said.full_name,
        html_url: said.html_url,
        clone_url: said.clone_url,
        default_branch: said.default_branch,
        is_private: said.is_private || is_outdated,
        ..known
    };
    db::sources::set_facts(tx, &facts).await?;
    Ok(!is_outdated)
}

/// Notes that a code repository is private, for every source of it that is taken for public: also when `source_id` is
/// known to be private, since another one may have heard that it was published. Before the source is locked otherwise.
pub async fn note_private(app: &App, tx: &Tx, source_id: Uuid) -> Result<()> {
    let Some(source) = db::sources::find(tx, source_id).await? else { return Ok(()) };
    note_listed(app, tx, &source.forge_url, &[&source.remote_id]).await
}

/// Makes sources private that were public, of code repositories that a forge calls private, and what they fill. Where
/// several sources fill one repository, one that turns private is enough: the images hold its code.
pub async fn note_listed(app: &App, tx: &Tx, forge_url: &str, private: &[&str]) -> Result<()> {
    let mut filled = BTreeMap::new();
    loop {
        // Once more after waiting for a lock: its holder may have imported the code into another namespace.
        let public = db::sources::public_of_remotes(tx, forge_url, private).await?;
        if public.is_empty() {
            break;
        }
        // In one order, whoever else locks several; and all sources before the first repository.
        for id in public.into_iter().map(|source| source.id) {
            let Some(source) = db::sources::lock(tx, id).await?.filter(|source| !source.is_private) else { continue };
            db::sources::set_facts(tx, &rows::Source { is_private: true, ..source }).await?;
            filled.extend(db::sources::rules_of(tx, id).await?.into_iter().map(|rule| (rule.repository_id, id)));
        }
    }
    hide(app, tx, filled).await
}

/// Whether a source of this code repository turned private that is not among `known`, those that were private before the
/// forge was asked. Whoever hears it from now on waits for this transaction, and finds what it adds.
pub(super) async fn has_turned(tx: &Tx, forge_url: &str, remote_id: &str, known: &[Uuid]) -> Result<bool> {
    for public in db::sources::public_of_remotes(tx, forge_url, &[remote_id]).await? {
        db::sources::lock(tx, public.id).await?;
    }
    let private = db::sources::private_of_remote(tx, forge_url, remote_id).await?;
    Ok(private.iter().any(|id| !known.contains(id)))
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
