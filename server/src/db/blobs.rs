//! Blobs, which are global, and the links through which repositories reach them.

use super::entity::registry::{blob, repository_blob};
use super::{Ask, BlobState, ObjectKey, OwnerKind, Tx, objects, rows};
use crate::clock::{DAY, Millis};
use crate::error::{Error, Result};
use crate::names::Digest;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// A blob that `repository_id` links and the collector is not removing.
pub async fn find_linked(c: &impl Ask, repository_id: Uuid, digest: &Digest) -> Result<Option<rows::Blob>> {
    Ok(find_all_linked(c, repository_id, std::slice::from_ref(&digest.to_string())).await?.into_values().next())
}

/// The linked ones of `digests`, by digest.
pub async fn find_all_linked(
    c: &impl Ask,
    repository_id: Uuid,
    digests: &[String],
) -> Result<HashMap<String, rows::Blob>> {
    let links = Query::select()
        .column(repository_blob::Column::BlobId)
        .from(repository_blob::Entity)
        .and_where(repository_blob::Column::RepositoryId.eq(repository_id))
        .to_owned();
    let mut found = HashMap::new();
    // Below SQLite's limit of bound values.
    for some in digests.chunks(500) {
        let rows = blob::Entity::find()
            .filter(blob::Column::Digest.is_in(some))
            .filter(blob::Column::State.ne(BlobState::Deleting))
            .filter(blob::Column::Id.in_subquery(links.clone()))
            .all(c.connection())
            .await?;
        found.extend(rows.into_iter().map(|row| (row.digest.clone(), row)));
    }
    Ok(found)
}

/// Makes the blob known, or finds it. The bytes lie at `storage_key` already: bytes before rows.
/// The second value tells whether `storage_key` is the one in use; if not, its bytes are a copy that nobody needs.
pub async fn upsert(
    tx: &Tx,
    digest: &Digest,
    size: i64,
    storage_key: &ObjectKey,
    now: Millis,
) -> Result<(rows::Blob, bool)> {
    let row = rows::Blob {
        id: Uuid::now_v7(),
        digest: digest.to_string(),
        size_bytes: size,
        storage_key: storage_key.clone(),
        state: BlobState::Live,
        version: 1,
        condemned_at: None,
        created_at: now,
    };
    // Insert before looking: two repositories may get the same new blob at once.
    let inserted = blob::Entity::insert(row.clone().into_active_model().reset_all())
        .on_conflict(OnConflict::column(blob::Column::Digest).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    if inserted == 1 {
        objects::own(tx, storage_key, OwnerKind::Blob, row.id).await?;
        return Ok((row, true));
    }
    let mut query = blob::Entity::find().filter(blob::Column::Digest.eq(digest.as_str()));
    if tx.is_postgres() {
        // The collector changes this row too.
        query = query.lock_exclusive();
    }
    let found = query.one(tx.connection()).await?;
    let found = found.ok_or_else(|| Error::internal("storing a blob", "its row was removed meanwhile"))?;
    if found.state == BlobState::Live {
        objects::release(tx, std::slice::from_ref(storage_key), now).await?;
        return Ok((found, false));
    }
    // A condemned blob lives again. One that is being deleted gets the new bytes.
    let is_going = found.state == BlobState::Deleting;
    let mut row = blob::ActiveModel {
        id: Set(found.id),
        state: Set(BlobState::Live),
        condemned_at: Set(None),
        version: Set(found.version + 1),
        ..Default::default()
    };
    if is_going {
        objects::own(tx, storage_key, OwnerKind::Blob, found.id).await?;
        objects::release(tx, std::slice::from_ref(&found.storage_key), now + DAY).await?;
        row.storage_key = Set(storage_key.clone());
    } else {
        objects::release(tx, std::slice::from_ref(storage_key), now).await?;
    }
    Ok((row.update(tx.connection()).await?, is_going))
}

/// Gives a blob whose bytes are gone those that lie at `key`; what is left of the old ones may go from `remove_at` on.
pub async fn set_storage_key(tx: &Tx, blob: &rows::Blob, key: &ObjectKey, remove_at: Millis) -> Result<rows::Blob> {
    objects::own(tx, key, OwnerKind::Blob, blob.id).await?;
    objects::release(tx, std::slice::from_ref(&blob.storage_key), remove_at).await?;
    let row = blob::ActiveModel { id: Set(blob.id), storage_key: Set(key.clone()), ..Default::default() };
    Ok(row.update(tx.connection()).await?)
}

/// Links a blob; a second link is as one.
pub async fn link(tx: &Tx, repository_id: Uuid, blob_id: Uuid, attempt_id: Option<Uuid>, now: Millis) -> Result<()> {
    let row = repository_blob::ActiveModel {
        id: Set(Uuid::now_v7()),
        repository_id: Set(repository_id),
        blob_id: Set(blob_id),
        attempt_id: Set(attempt_id),
        created_at: Set(now),
    };
    let mut conflict = OnConflict::columns([repository_blob::Column::RepositoryId, repository_blob::Column::BlobId]);
    if attempt_id.is_some() {
        conflict.update_column(repository_blob::Column::AttemptId);
    } else {
        conflict.do_nothing();
    }
    repository_blob::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx.connection()).await?;
    Ok(())
}

pub async fn unlink(tx: &Tx, repository_id: Uuid, blob_id: Uuid) -> Result<bool> {
    let gone = repository_blob::Entity::delete_many()
        .filter(repository_blob::Column::RepositoryId.eq(repository_id))
        .filter(repository_blob::Column::BlobId.eq(blob_id))
        .exec(tx.connection())
        .await?;
    Ok(gone.rows_affected > 0)
}

/// Sets condemned blobs back to live. False when one of them is being deleted meanwhile: it has to be pushed again.
pub async fn revive(tx: &Tx, ids: &[Uuid]) -> Result<bool> {
    for some in ids.chunks(500) {
        blob::Entity::update_many()
            .col_expr(blob::Column::State, Expr::value(BlobState::Live.as_str()))
            .col_expr(blob::Column::CondemnedAt, Expr::value(Option::<i64>::None))
            .col_expr(blob::Column::Version, Expr::col(blob::Column::Version).add(1))
            .filter(blob::Column::Id.is_in(some.iter().copied()))
            .filter(blob::Column::State.eq(BlobState::Condemned))
            .exec(tx.connection())
            .await?;
        let live = blob::Entity::find()
            .filter(blob::Column::Id.is_in(some.iter().copied()))
            .filter(blob::Column::State.eq(BlobState::Live))
            .count(tx.connection())
            .await?;
        if live != some.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Bytes of a repository's blobs: those that only it links, and those that others of its namespace link too. Without
/// `all` only public ones are looked at, and never other namespaces: who can push here could else ask what they hold.
pub async fn sizes(c: &impl Ask, repository: &rows::Repository, all: bool) -> Result<(i64, i64)> {
    let [place, namespace] = if c.is_postgres() { ["$1", "$2"] } else { ["?1", "?2"] };
    let seen = seen(all);
    // Of a layer that everybody has, some other links are looked at, not all.
    let sql = format!(
        "SELECT COALESCE(CAST(SUM(CASE WHEN is_shared THEN 0 ELSE size_bytes END) AS BIGINT), 0) AS own, \
         COALESCE(CAST(SUM(CASE WHEN is_shared THEN size_bytes ELSE 0 END) AS BIGINT), 0) AS shared FROM \
         (SELECT b.size_bytes, EXISTS (SELECT 1 FROM (SELECT repository_id FROM repository_blob WHERE blob_id = b.id \
         LIMIT 1000) o JOIN repository r ON r.id = o.repository_id WHERE r.id <> l.repository_id \
         AND r.namespace_id = {namespace} AND r.state <> 'deleting' {seen}) AS is_shared \
         FROM repository_blob l JOIN blob b ON b.id = l.blob_id WHERE l.repository_id = {place}) AS x"
    );
    let row = one(c, sql, [repository.id, repository.namespace_id]).await?;
    Ok(row.map_or((0, 0), |r| (r.own, r.shared)))
}

/// Bytes of the blobs that the repositories of a namespace link, each counted once: of all of them, or of the public ones.
pub async fn size_of_namespace(c: &impl Ask, namespace_id: Uuid, all: bool) -> Result<i64> {
    let place = if c.is_postgres() { "$1" } else { "?1" };
    let seen = seen(all);
    let sql = format!(
        "SELECT COALESCE(CAST(SUM(size_bytes) AS BIGINT), 0) AS own, CAST(0 AS BIGINT) AS shared FROM blob WHERE id IN \
         (SELECT l.blob_id FROM repository_blob l JOIN repository r ON r.id = l.repository_id \
         WHERE r.state <> 'deleting' AND r.namespace_id = {place} {seen})"
    );
    Ok(one(c, sql, [namespace_id]).await?.map_or(0, |r| r.own))
}

fn seen(all: bool) -> &'static str {
    if all { "" } else { "AND r.visibility = 'public'" }
}

/// Bytes of the blobs that these repositories link, each counted once.
pub async fn size_of(c: &impl Ask, repositories: &[Uuid]) -> Result<i64> {
    if repositories.is_empty() {
        return Ok(0);
    }
    let links = Query::select()
        .column(repository_blob::Column::BlobId)
        .from(repository_blob::Entity)
        .and_where(repository_blob::Column::RepositoryId.is_in(repositories.iter().copied()))
        .to_owned();
    let sum: Option<Option<i64>> = blob::Entity::find()
        .select_only()
        .column_as(Expr::col(blob::Column::SizeBytes).sum().cast_as("BIGINT"), "bytes")
        .filter(blob::Column::Id.in_subquery(links))
        .into_tuple()
        .one(c.connection())
        .await?;
    Ok(sum.flatten().unwrap_or_default())
}

#[derive(sea_orm::FromQueryResult)]
struct Sizes {
    own: i64,
    shared: i64,
}

async fn one<const N: usize>(c: &impl Ask, sql: String, ids: [Uuid; N]) -> Result<Option<Sizes>> {
    use sea_orm::{DbBackend, FromQueryResult as _, Statement};
    let backend = if c.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite };
    Ok(Sizes::find_by_statement(Statement::from_sql_and_values(backend, sql, ids.map(Into::into)))
        .one(c.connection())
        .await?)
}
