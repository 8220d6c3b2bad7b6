//! Where the refs of a source are. Each update gets the next number of its source, which orders the tags that builds move.

use crate::app::App;
use crate::builds;
use crate::clock::Millis;
use crate::db::{self, Ask, Tx, rows};
use crate::error::Result;
use crate::names::{CommitHash, RefName};
use uuid::Uuid;

/// A ref that exists, as we last saw it.
pub async fn find_live(c: &impl Ask, source_id: Uuid, name: &RefName) -> Result<Option<rows::SourceRef>> {
    let found = db::sources::refs::find(c, source_id, name.as_str()).await?;
    Ok(found.filter(|known| known.deleted_at.is_none()))
}

/// Notes that a ref is at `commit`; its update's number, or `None` when it was there already.
/// `source` was locked in this transaction.
pub async fn record(
    tx: &Tx,
    source: &rows::Source,
    name: &RefName,
    commit: &CommitHash,
    now: Millis,
) -> Result<Option<i64>> {
    let known = db::sources::refs::find(tx, source.id, name.as_str()).await?;
    if known.as_ref().is_some_and(|k| k.deleted_at.is_none() && k.commit_hash == commit.as_str()) {
        return Ok(None);
    }
    let number = db::sources::refs::take_numbers(tx, source, 1).await?;
    db::sources::refs::put(tx, known, source.id, name.as_str(), commit.as_str(), number, now).await?;
    Ok(Some(number))
}

/// Notes that a ref is gone at the forge; builds of it that wait are cancelled. False when it moved since `known` was read.
/// The source was locked in this transaction.
pub async fn forget(app: &App, tx: &Tx, known: &rows::SourceRef) -> Result<bool> {
    let now_known = db::sources::refs::find(tx, known.source_id, &known.name).await?;
    if now_known.is_none_or(|now| now.deleted_at.is_some() || now.number != known.number) {
        return Ok(false);
    }
    db::sources::refs::mark_deleted(tx, known.id, app.clock.now()).await?;
    // What is stored was parsed once.
    if let Ok(name) = known.name.parse() {
        builds::cancel_deleted(app, tx, known.source_id, &name).await?;
    }
    Ok(true)
}

/// Notes the refs that a source has when it is connected: they are known, and not built. The default branch comes
/// first, so that what collides with it came later. Its number is returned.
pub async fn record_first(
    tx: &Tx,
    source: &rows::Source,
    head: (&RefName, &CommitHash),
    others: &[(RefName, CommitHash)],
    now: Millis,
) -> Result<i64> {
    let others = others.iter().map(|(name, commit)| (name, commit)).filter(|(name, _)| *name != head.0);
    let all: Vec<_> = std::iter::once(head).chain(others).collect();
    let count = i64::try_from(all.len()).expect("a count of rows");
    let first = db::sources::refs::take_numbers(tx, source, count).await?;
    let rows = all.into_iter().zip(first..).map(|((name, commit), number)| rows::SourceRef {
        id: Uuid::now_v7(),
        source_id: source.id,
        name: name.to_string(),
        commit_hash: commit.to_string(),
        number,
        updated_at: now,
        deleted_at: None,
    });
    db::sources::refs::insert_all(tx, rows.collect()).await?;
    Ok(first)
}
