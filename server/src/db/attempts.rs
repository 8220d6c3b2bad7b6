//! Attempts of builds: leases and their ends. The number is a fencing token.

use super::entity::builds::build_attempt;
use super::{Ask, AttemptEnd, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn insert(tx: &Tx, row: rows::Attempt) -> Result<rows::Attempt> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

/// The attempts of a build, oldest first.
pub async fn of_build(c: &impl Ask, build_id: Uuid) -> Result<Vec<rows::Attempt>> {
    Ok(build_attempt::Entity::find()
        .filter(build_attempt::Column::BuildId.eq(build_id))
        .order_by_asc(build_attempt::Column::Number)
        .all(c.connection())
        .await?)
}

/// The attempt, and nobody else writes to it before this transaction ends.
pub async fn lock(tx: &Tx, id: Uuid) -> Result<Option<rows::Attempt>> {
    let mut query = build_attempt::Entity::find_by_id(id);
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.one(tx.connection()).await?)
}

/// Every attempt that has not ended.
pub async fn open(c: &impl Ask) -> Result<Vec<rows::Attempt>> {
    Ok(build_attempt::Entity::find()
        .filter(build_attempt::Column::EndedAt.is_null())
        .order_by_asc(build_attempt::Column::StartedAt)
        .all(c.connection())
        .await?)
}

/// Keeps the lease of an attempt that has not ended; false when it has.
pub async fn extend(tx: &Tx, id: Uuid, lease_until: Millis) -> Result<bool> {
    let changed = build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LeaseUntil, Expr::value(lease_until))
        .filter(build_attempt::Column::Id.eq(id))
        .filter(build_attempt::Column::EndedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Makes an attempt as old as a test needs it.
#[cfg(test)]
pub async fn set_started(tx: &Tx, id: Uuid, started_at: Millis) -> Result<()> {
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::StartedAt, Expr::value(started_at))
        .filter(build_attempt::Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Gives every running attempt time until `lease_until` at least.
pub async fn extend_all(tx: &Tx, lease_until: Millis) -> Result<()> {
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LeaseUntil, Expr::value(lease_until))
        .filter(build_attempt::Column::EndedAt.is_null())
        .filter(build_attempt::Column::LeaseUntil.lt(lease_until))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// As `extend_all`, but for attempts that were offered for `offer` and not begun.
pub async fn extend_begun(tx: &Tx, offer: Millis, lease_until: Millis) -> Result<()> {
    let offered_until = Expr::col(build_attempt::Column::StartedAt).add(offer);
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LeaseUntil, Expr::value(lease_until))
        .filter(build_attempt::Column::EndedAt.is_null())
        .filter(build_attempt::Column::LeaseUntil.lt(lease_until))
        .filter(Expr::col(build_attempt::Column::LeaseUntil).gt(offered_until))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Moves start and lease of every running attempt by so much.
pub async fn shift_all(tx: &Tx, by: Millis) -> Result<()> {
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::StartedAt, Expr::col(build_attempt::Column::StartedAt).add(by))
        .col_expr(build_attempt::Column::LeaseUntil, Expr::col(build_attempt::Column::LeaseUntil).add(by))
        .filter(build_attempt::Column::EndedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Ends an attempt; false when it had ended before.
pub async fn end(tx: &Tx, id: Uuid, how: AttemptEnd, now: Millis) -> Result<bool> {
    let changed = build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::EndedAt, Expr::value(now))
        .col_expr(build_attempt::Column::EndReason, Expr::value(how.as_str()))
        .filter(build_attempt::Column::Id.eq(id))
        .filter(build_attempt::Column::EndedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Attempts that ended and whose notices no row has, newest first: those before `before`.
pub async fn without_notices(c: &impl Ask, before: Option<Uuid>, limit: u64) -> Result<Vec<Uuid>> {
    let mut found = build_attempt::Entity::find()
        .filter(build_attempt::Column::LogNotices.is_null())
        .filter(build_attempt::Column::EndedAt.is_not_null());
    if let Some(before) = before {
        found = found.filter(build_attempt::Column::Id.lt(before));
    }
    let ids = found.order_by_desc(build_attempt::Column::Id).select_only().column(build_attempt::Column::Id);
    Ok(ids.limit(limit).into_tuple().all(c.connection()).await?)
}

/// Makes an attempt look like one of the version that had no rows of notices.
#[cfg(test)]
pub async fn forget_notices(tx: &Tx, id: Uuid) -> Result<()> {
    use super::entity::builds::build_step;
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LogNotices, Expr::value(None::<String>))
        .filter(build_attempt::Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    build_step::Entity::update_many()
        .col_expr(build_step::Column::Notices, Expr::value(None::<String>))
        .filter(build_step::Column::AttemptId.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Notes how far a log has come.
pub async fn set_log(tx: &Tx, row: &rows::Attempt) -> Result<()> {
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LastRecord, Expr::value(row.last_record))
        .col_expr(build_attempt::Column::LogBytes, Expr::value(row.log_bytes))
        .col_expr(build_attempt::Column::LogCut, Expr::value(row.log_cut.clone()))
        .col_expr(build_attempt::Column::LogNotices, Expr::value(row.log_notices.clone()))
        .filter(build_attempt::Column::Id.eq(row.id))
        .exec(tx.connection())
        .await?;
    Ok(())
}
