//! Logs: batches of records while a build runs, steps for its page, and where the sealed log lies.

use super::entity::builds::{build_step, log_batch, sealed_log};
use super::{Ask, OnConstraint, OwnerKind, Tx, objects, rows};
use crate::error::{Error, Result};
use sea_orm::prelude::*;
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn insert_batch(tx: &Tx, row: rows::LogBatch) -> Result<()> {
    log_batch::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx.connection()).await?;
    Ok(())
}

/// The batch that holds the record after `after`, or the first one behind a gap.
pub async fn batch_after(c: &impl Ask, attempt_id: Uuid, after: i64) -> Result<Option<rows::LogBatch>> {
    Ok(log_batch::Entity::find()
        .filter(log_batch::Column::AttemptId.eq(attempt_id))
        .filter(log_batch::Column::Last.gt(after))
        .order_by_asc(log_batch::Column::First)
        .one(c.connection())
        .await?)
}

pub async fn delete_batches(tx: &Tx, attempt_id: Uuid) -> Result<()> {
    log_batch::Entity::delete_many().filter(log_batch::Column::AttemptId.eq(attempt_id)).exec(tx.connection()).await?;
    Ok(())
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
