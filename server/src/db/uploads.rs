//! Uploads in progress. One writer at a time: whoever holds the lease and the version.

use super::entity::registry::upload;
use super::{Ask, ObjectKey, ObjectKind, OwnerKind, PrincipalKind, Tx, objects, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Adds an upload with the object that its bytes go to.
pub async fn insert(
    tx: &Tx,
    id: Uuid,
    now: Millis,
    row: impl FnOnce(ObjectKey) -> rows::Upload,
) -> Result<rows::Upload> {
    let key = objects::insert(tx, ObjectKind::Blob, Some((OwnerKind::Upload, id)), now).await?;
    Ok(row(key).into_active_model().reset_all().insert(tx.connection()).await?)
}

/// An upload of this repository; those of others do not exist here.
pub async fn find(c: &impl Ask, repository_id: Uuid, id: Uuid) -> Result<Option<rows::Upload>> {
    Ok(upload::Entity::find_by_id(id)
        .filter(upload::Column::RepositoryId.eq(repository_id))
        .one(c.connection())
        .await?)
}

/// Takes the upload for writing until `until`; `None` when somebody else writes.
pub async fn lock(tx: &Tx, id: Uuid, by: Uuid, now: Millis, until: Millis) -> Result<Option<rows::Upload>> {
    let taken = upload::Entity::update_many()
        .col_expr(upload::Column::LockedUntil, Expr::value(until))
        .col_expr(upload::Column::LockedBy, Expr::value(by))
        .col_expr(upload::Column::Version, Expr::col(upload::Column::Version).add(1))
        .filter(upload::Column::Id.eq(id))
        .filter(free(now))
        .exec(tx.connection())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    Ok(upload::Entity::find_by_id(id).one(tx.connection()).await?)
}

fn free(now: Millis) -> Condition {
    Condition::any().add(upload::Column::LockedUntil.is_null()).add(upload::Column::LockedUntil.lt(now))
}

/// Keeps the lease of a long write.
pub async fn extend(tx: &Tx, id: Uuid, version: i64, until: Millis) -> Result<bool> {
    change(tx, id, version, |q| q.col_expr(upload::Column::LockedUntil, Expr::value(until))).await
}

/// Commits the offset that is on disk and lets go; false when the lease was lost.
pub async fn unlock(tx: &Tx, id: Uuid, version: i64, offset: i64, now: Millis) -> Result<bool> {
    change(tx, id, version, |q| {
        q.col_expr(upload::Column::OffsetBytes, Expr::value(offset))
            .col_expr(upload::Column::LockedUntil, Expr::value(Option::<i64>::None))
            .col_expr(upload::Column::LockedBy, Expr::value(Option::<Uuid>::None))
            .col_expr(upload::Column::UpdatedAt, Expr::value(now))
    })
    .await
}

async fn change(
    tx: &Tx,
    id: Uuid,
    version: i64,
    set: impl FnOnce(sea_orm::UpdateMany<upload::Entity>) -> sea_orm::UpdateMany<upload::Entity>,
) -> Result<bool> {
    let changed = set(upload::Entity::update_many())
        .filter(upload::Column::Id.eq(id))
        .filter(upload::Column::Version.eq(version))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

pub async fn exists(c: &impl Ask, id: Uuid) -> Result<bool> {
    Ok(upload::Entity::find_by_id(id).one(c.connection()).await?.is_some())
}

/// Deletes an upload that is still as the caller saw it and that nobody writes to; its bytes may go from `remove_at` on.
pub async fn delete_free(tx: &Tx, seen: &rows::Upload, now: Millis, remove_at: Millis) -> Result<bool> {
    let gone = upload::Entity::delete_many()
        .filter(upload::Column::Id.eq(seen.id))
        .filter(upload::Column::Version.eq(seen.version))
        .filter(free(now))
        .exec(tx.connection())
        .await?;
    if gone.rows_affected == 1 {
        objects::release(tx, std::slice::from_ref(&seen.storage_key), remove_at).await?;
    }
    Ok(gone.rows_affected == 1)
}

/// Deletes the upload that the caller holds; false when the lease was lost. Its bytes may go at once, unless this
/// transaction names them as something else.
pub async fn delete_held(tx: &Tx, held: &rows::Upload, now: Millis) -> Result<bool> {
    let gone = upload::Entity::delete_many()
        .filter(upload::Column::Id.eq(held.id))
        .filter(upload::Column::Version.eq(held.version))
        .exec(tx.connection())
        .await?;
    if gone.rows_affected == 1 {
        objects::release(tx, std::slice::from_ref(&held.storage_key), now).await?;
    }
    Ok(gone.rows_affected == 1)
}

/// Uploads that nobody touched since `before`, by id from `after` on.
pub async fn stale(c: &impl Ask, before: Millis, after: Uuid, limit: u64) -> Result<Vec<rows::Upload>> {
    Ok(upload::Entity::find()
        .filter(upload::Column::UpdatedAt.lt(before))
        .filter(upload::Column::Id.gt(after))
        .order_by_asc(upload::Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// The uploads that a principal has open: which, and how many bytes of each are committed.
pub async fn open_of(c: &impl Ask, kind: PrincipalKind, id: Option<Uuid>) -> Result<Vec<(Uuid, i64)>> {
    Ok(upload::Entity::find()
        .select_only()
        .columns([upload::Column::Id, upload::Column::OffsetBytes])
        .filter(upload::Column::PrincipalKind.eq(kind))
        .filter(id.map_or_else(|| upload::Column::PrincipalId.is_null(), |id| upload::Column::PrincipalId.eq(id)))
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// When `server` starts, nobody holds a lock in its name: the process that did is gone. Locks of other servers stay;
/// those that name nobody are of the version before.
pub async fn forget_locks(tx: &Tx, server: Uuid) -> Result<()> {
    upload::Entity::update_many()
        .col_expr(upload::Column::LockedUntil, Expr::value(Option::<i64>::None))
        .col_expr(upload::Column::LockedBy, Expr::value(Option::<Uuid>::None))
        .filter(Condition::any().add(upload::Column::LockedBy.eq(server)).add(upload::Column::LockedBy.is_null()))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Its row dies with what it refers to, as it does in a cascade.
#[cfg(test)]
pub(crate) async fn lose(tx: &Tx, id: Uuid) {
    upload::Entity::delete_by_id(id).exec(tx.connection()).await.unwrap();
}
