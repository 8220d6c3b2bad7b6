//! Tags: setting, deleting, and every move with its cause.

mod by_build;

pub use by_build::{Moved, move_for_build};

use crate::app::App;
use crate::clock::{self, Millis};
use crate::db::{self, Cause, PrincipalKind, Tx, rows};
use crate::error::{Error, Result};
use crate::names::{Digest, Reference, TagName};
use crate::policy::{Allowed, DeleteImage, Principal, PullImage, ReadRepository};
use serde_json::json;
use uuid::Uuid;

/// Tags that one transaction deletes with their manifest.
const AT_ONCE: u64 = 200;

/// Why a tag moves.
pub struct Origin<'a> {
    pub cause: Cause,
    pub build: Option<&'a rows::Build>,
}

/// Points a tag at a digest. A move is noted with its cause; the same digest again is no move.
#[expect(clippy::too_many_arguments, reason = "who, where, what and why of one row")]
pub async fn set(
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    title: &str,
    tag: &TagName,
    digest: &Digest,
    origin: &Origin<'_>,
    now: Millis,
) -> Result<()> {
    if tag.is_accessory() && origin.build.is_some() {
        return Err(Error::internal("moving a tag", format!("no ref moves `{tag}`, where signatures are looked for")));
    }
    let old = db::tags::find(tx, repository.id, tag.as_str()).await?;
    let from = old.as_ref().map(|t| t.digest.clone());
    let row = rows::Tag {
        id: old.map_or_else(Uuid::now_v7, |t| t.id),
        repository_id: repository.id,
        name: tag.to_string(),
        digest: digest.to_string(),
        build_id: origin.build.map(|b| b.id),
        source_id: origin.build.and_then(|b| b.source_id),
        ref_name: origin.build.map(|b| b.ref_name.clone()),
        ref_number: origin.build.map(|b| b.ref_number),
        updated_at: now,
    };
    db::tags::put(tx, row).await?;
    if from.as_deref() == Some(digest.as_str()) {
        return Ok(());
    }
    let subject = format!("{title}:{tag}");
    note(tx, by, repository, &subject, tag.as_str(), (from, Some(digest.to_string())), origin, now).await
}

#[expect(clippy::too_many_arguments, reason = "who, where, what and why of one row")]
async fn note(
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    subject: &str,
    tag: &str,
    (from, to): (Option<String>, Option<String>),
    origin: &Origin<'_>,
    now: Millis,
) -> Result<()> {
    let event = db::events::NewEvent {
        kind: if to.is_some() { "tag.moved" } else { "tag.deleted" },
        namespace_id: Some(repository.namespace_id),
        repository_id: Some(repository.id),
        subject: subject.to_owned(),
        cause: Some(origin.cause.to_string()),
        body: json!({"tag": tag, "from": from, "to": to, "build": origin.build.map(|b| b.number)}),
    };
    let row = rows::TagMove {
        id: Uuid::now_v7(),
        repository_id: repository.id,
        tag: tag.to_owned(),
        from_digest: from,
        to_digest: to,
        cause: origin.cause,
        build_id: origin.build.map(|b| b.id),
        principal_kind: by.kind(),
        principal_id: by.id(),
        at: now,
    };
    db::tags::add_move(tx, row).await?;
    db::repositories::touch(tx, repository.id, now).await?;
    db::events::add(tx, by, event, now).await
}

/// Deletes a tag; its history and its manifest stay.
pub async fn delete(app: &App, tx: &Tx, allowed: &Allowed<DeleteImage>, tag: &rows::Tag) -> Result<()> {
    let on = allowed.on();
    let Some(repository) = db::repositories::find(tx, on.id).await? else { return Ok(()) };
    db::tags::delete(tx, tag.id).await?;
    let origin = Origin { cause: Cause::Delete, build: None };
    let subject = format!("{}:{}", on.name, tag.name);
    let change = (Some(tag.digest.clone()), None);
    note(tx, allowed.principal(), &repository, &subject, &tag.name, change, &origin, app.clock.now()).await
}

/// Deletes some of the tags on a manifest, each with its move and its event; how many went.
pub async fn delete_some(app: &App, tx: &Tx, allowed: &Allowed<DeleteImage>, digest: &Digest) -> Result<usize> {
    let on = allowed.on();
    let (by, now) = (allowed.principal(), app.clock.now());
    let held = db::tags::of_digest(tx, on.id, digest.as_str(), AT_ONCE).await?;
    if held.is_empty() {
        return Ok(0);
    }
    let event = |tag: &rows::Tag| db::events::NewEvent {
        kind: "tag.deleted",
        namespace_id: Some(on.namespace_id),
        repository_id: Some(on.id),
        subject: format!("{}:{}", on.name, tag.name),
        cause: Some(Cause::Delete.to_string()),
        body: json!({"tag": tag.name, "from": tag.digest, "to": null, "build": null}),
    };
    let gone = |tag: &rows::Tag| rows::TagMove {
        id: Uuid::now_v7(),
        repository_id: on.id,
        tag: tag.name.clone(),
        from_digest: Some(tag.digest.clone()),
        to_digest: None,
        cause: Cause::Delete,
        build_id: None,
        principal_kind: by.kind(),
        principal_id: by.id(),
        at: now,
    };
    db::tags::add_moves(tx, held.iter().map(gone).collect()).await?;
    db::events::add_all(tx, by, held.iter().map(event).collect(), now).await?;
    db::tags::delete_all(tx, &held.iter().map(|tag| tag.id).collect::<Vec<_>>()).await?;
    db::repositories::touch(tx, on.id, now).await?;
    Ok(held.len())
}

/// Names after `after`, in byte order.
pub async fn names(app: &App, allowed: &Allowed<PullImage>, after: &str, limit: u64) -> Result<Vec<String>> {
    db::tags::names(&app.db, allowed.on().id, after, limit).await
}

/// One move of a tag, with the names that its ids stand for.
pub struct MoveStory {
    pub row: rows::TagMove,
    /// The person who did it, if one did.
    pub person: Option<String>,
    pub build: Option<rows::Build>,
}

/// Moves of a tag on its page.
const MOST_MOVES: u64 = 50;

/// The newest moves of a tag, and how many older ones there are.
pub async fn history(app: &App, allowed: &Allowed<ReadRepository>, tag: &TagName) -> Result<(Vec<MoveStory>, u64)> {
    let repository_id = allowed.on().id;
    let mut stories = Vec::new();
    for row in db::tags::moves(&app.db, repository_id, tag.as_str(), MOST_MOVES).await? {
        stories.push(story(app, row).await?);
    }
    let shown = stories.len() as u64;
    let older = match shown {
        MOST_MOVES => db::tags::count_moves(&app.db, repository_id, tag.as_str()).await?.saturating_sub(shown),
        _ => 0,
    };
    Ok((stories, older))
}

/// Those of `names` that point at a digest now, in their order.
pub async fn still_on(app: &App, repository_id: Uuid, digest: &Digest, names: &[String]) -> Result<Vec<String>> {
    let rows = db::tags::find_all(&app.db, repository_id, names).await?;
    let is_on = |name: &&String| rows.iter().any(|row| row.name == **name && row.digest == digest.as_str());
    Ok(names.iter().filter(is_on).cloned().collect())
}

/// What to tell who looks for a tag that is not there: by whom and when it was deleted, if it ever was.
pub async fn absent(app: &App, allowed: &Allowed<ReadRepository>, tag: &TagName) -> Result<Error> {
    let newest = db::tags::moves(&app.db, allowed.on().id, tag.as_str(), 1).await?.pop();
    let Some(row) = newest.filter(|row| row.to_digest.is_none()) else {
        return Ok(Error::not_found(format!("tag `{tag}`")));
    };
    let at = clock::utc(row.at);
    let by = story(app, row).await?.person.map(|name| format!(" by {name}")).unwrap_or_default();
    Ok(Error::Gone(format!("tag `{tag}` was deleted{by} on {at}; its history is kept")))
}

/// Why a tag points where it points: its newest move.
pub async fn newest_move(app: &App, tag: &rows::Tag) -> Result<Option<MoveStory>> {
    match db::tags::moves(&app.db, tag.repository_id, &tag.name, 1).await?.pop() {
        Some(row) => story(app, row).await.map(Some),
        None => Ok(None),
    }
}

async fn story(app: &App, row: rows::TagMove) -> Result<MoveStory> {
    let person = match (row.principal_kind, row.principal_id) {
        (PrincipalKind::User, Some(id)) => db::users::find(&app.db, id).await?.map(|u| u.name),
        _ => None,
    };
    let build = match row.build_id {
        Some(id) => db::builds::find(&app.db, id).await?,
        None => None,
    };
    Ok(MoveStory { row, person, build })
}

/// Deletes a tag that a person pressed Delete for.
pub async fn delete_by_name(app: &App, allowed: &Allowed<DeleteImage>, tag: &TagName) -> Result<()> {
    super::manifests::delete(app, allowed, &Reference::Tag(tag.clone())).await
}
