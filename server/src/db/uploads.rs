//! Uploads in progress. One writer at a time: whoever holds the lease and the version.

use super::entity::registry::upload;
use super::{Ask, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QuerySelect};
use uuid::Uuid;

pub async fn insert(tx: &Tx, row: rows::Upload) -> Result<rows::Upload> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

/// An upload of this repository; those of others do not exist here.
pub async fn find(c: &impl Ask, repository_id: Uuid, id: Uuid) -> Result<Option<rows::Upload>> {
    Ok(upload::Entity::find_by_id(id)
        .filter(upload::Column::RepositoryId.eq(repository_id))
        .one(c.connection())
        .await?)
}

/// Takes the upload for writing until `until`; `None` when somebody else writes.
pub async fn lock(tx: &Tx, id: Uuid, now: Millis, until: Millis) -> Result<Option<rows::Upload>> {
    let taken = upload::Entity::update_many()
        .col_expr(upload::Column::LockedUntil, Expr::value(until))
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

/// Deletes an upload that is still as the caller saw it and that nobody writes to.
pub async fn delete_free(tx: &Tx, id: Uuid, version: i64, now: Millis) -> Result<bool> {
    let gone = upload::Entity::delete_many()
        .filter(upload::Column::Id.eq(id))
        .filter(upload::Column::Version.eq(version))
        .filter(free(now))
        .exec(tx.connection())
        .await?;
    Ok(gone.rows_affected == 1)
}

/// Deletes the upload that the caller holds; false when the lease was lost.
pub async fn delete_held(tx: &Tx, id: Uuid, version: i64) -> Result<bool> {
    let gone = upload::Entity::delete_many()
        .filter(upload::Column::Id.eq(id))
        .filter(upload::Column::Version.eq(version))
        .exec(tx.connection())
        .await?;
    Ok(gone.rows_affected == 1)
}

/// Uploads that nobody touched since `before`.
pub async fn stale(c: &impl Ask, before: Millis) -> Result<Vec<rows::Upload>> {
    Ok(upload::Entity::find().filter(upload::Column::UpdatedAt.lt(before)).limit(500).all(c.connection()).await?)
}

/// At the start of the only writer: nobody holds a lease.
pub async fn forget_locks(tx: &Tx) -> Result<()> {
    upload::Entity::update_many()
        .col_expr(upload::Column::LockedUntil, Expr::value(Option::<i64>::None))
        .exec(tx.connection())
        .await?;
    Ok(())
}
