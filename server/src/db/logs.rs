//! Logs: batches of records while a build runs, steps for its page, and where the sealed log lies.

use super::entity::builds::{build_attempt, build_step, log_batch, sealed_log};
use super::{Ask, OnConstraint, OwnerKind, Tx, objects, rows};
use crate::clock::Millis;
use crate::error::{Error, Result};
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn insert_batch(tx: &Tx, row: rows::LogBatch) -> Result<()> {
    log_batch::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx.connection()).await?;
    Ok(())
}

/// The batch that holds the record after `after`, or the first one behind a gap.
pub async fn batch_after(c: &impl Ask, attempt_id: Uuid, after: i64) -> Result<Option<rows::LogBatch>> {
    // By its first record, which the index has: by its last one all batches before it would be walked. And without its
    // body, which whoever waits at the end of a log has read.
    let of_attempt = || log_batch::Entity::find().filter(log_batch::Column::AttemptId.eq(attempt_id));
    let holds: Option<(Uuid, i64)> = of_attempt()
        .select_only()
        .columns([log_batch::Column::Id, log_batch::Column::Last])
        .filter(log_batch::Column::First.lte(after.saturating_add(1)))
        .order_by_desc(log_batch::Column::First)
        .limit(1)
        .into_tuple()
        .one(c.connection())
        .await?;
    let found = match holds.filter(|(_, last)| *last > after) {
        Some((id, _)) => log_batch::Entity::find_by_id(id).one(c.connection()).await?,
        None => None,
    };
    if found.is_some() {
        return Ok(found);
    }
    let next = of_attempt().filter(log_batch::Column::First.gt(after.saturating_add(1)));
    Ok(next.order_by_asc(log_batch::Column::First).one(c.connection()).await?)
}

/// The last batches of an attempt: where the log is sealed, what is left of its rows has no gap then.
pub async fn last_batches(c: &impl Ask, attempt_id: Uuid, limit: u64) -> Result<Vec<Uuid>> {
    Ok(log_batch::Entity::find()
        .select_only()
        .column(log_batch::Column::Id)
        .filter(log_batch::Column::AttemptId.eq(attempt_id))
        .order_by_desc(log_batch::Column::First)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

pub async fn delete_batches(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    log_batch::Entity::delete_many()
        .filter(log_batch::Column::Id.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Attempts that ended before a time and whose log lies in rows still.
pub async fn unsealed(c: &impl Ask, ended_before: Millis, after: Uuid, limit: u64) -> Result<Vec<Uuid>> {
    let attempt = Expr::col((build_attempt::Entity, build_attempt::Column::Id));
    let batches = Query::select()
        .expr(Expr::val(1))
        .from(log_batch::Entity)
        .and_where(Expr::col((log_batch::Entity, log_batch::Column::AttemptId)).eq(attempt))
        .to_owned();
    Ok(build_attempt::Entity::find()
        .select_only()
        .column(build_attempt::Column::Id)
        .filter(build_attempt::Column::EndedAt.lt(ended_before))
        .filter(build_attempt::Column::Id.gt(after))
        .filter(Expr::exists(batches))
        .order_by_asc(build_attempt::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

pub async fn find_sealed(c: &impl Ask, attempt_id: Uuid) -> Result<Option<rows::SealedLog>> {
    Ok(sealed_log::Entity::find().filter(sealed_log::Column::AttemptId.eq(attempt_id)).one(c.connection()).await?)
}

pub async fn insert_sealed(tx: &Tx, row: rows::SealedLog) -> Result<()> {
    objects::own(tx, &row.storage_key, OwnerKind::Log, row.attempt_id).await?;
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("sealed_log_attempt_id", || Error::Conflict("this log is sealed already".into()))?;
    Ok(())
}

/// The steps of an attempt, in the order in which they appeared.
pub async fn steps(c: &impl Ask, attempt_id: Uuid) -> Result<Vec<rows::Step>> {
    Ok(build_step::Entity::find()
        .filter(build_step::Column::AttemptId.eq(attempt_id))
        .order_by_asc(build_step::Column::Step)
        .all(c.connection())
        .await?)
}

/// Those of an attempt's steps.
pub async fn some_steps(c: &impl Ask, attempt_id: Uuid, steps: Vec<i64>) -> Result<Vec<rows::Step>> {
    let mut found = Vec::new();
    // Databases take only so many values in one question.
    for some in steps.chunks(500) {
        let query = build_step::Entity::find()
            .filter(build_step::Column::AttemptId.eq(attempt_id))
            .filter(build_step::Column::Step.is_in(some.iter().copied()));
        found.extend(query.all(c.connection()).await?);
    }
    Ok(found)
}

/// The step that appeared last.
pub async fn newest_step(c: &impl Ask, attempt_id: Uuid) -> Result<Option<rows::Step>> {
    Ok(build_step::Entity::find()
        .filter(build_step::Column::AttemptId.eq(attempt_id))
        .order_by_desc(build_step::Column::Step)
        .one(c.connection())
        .await?)
}

/// Where the lines of a log are: first record and places of each batch, without its body.
pub async fn places(c: &impl Ask, attempt_id: Uuid) -> Result<Vec<(i64, Option<String>)>> {
    Ok(log_batch::Entity::find()
        .select_only()
        .columns([log_batch::Column::First, log_batch::Column::Places])
        .filter(log_batch::Column::AttemptId.eq(attempt_id))
        .order_by_asc(log_batch::Column::First)
        .into_tuple()
        .all(c.connection())
        .await?)
}

pub async fn insert_step(tx: &Tx, row: rows::Step) -> Result<()> {
    build_step::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx.connection()).await?;
    Ok(())
}

pub async fn update_step(tx: &Tx, row: rows::Step) -> Result<()> {
    row.into_active_model().reset_all().update(tx.connection()).await?;
    Ok(())
}
