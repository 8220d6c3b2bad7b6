//! Jobs that ended: some are tried again, and all are forgotten at last. Ids are looked for outside of a transaction.

use crate::clock::Millis;
use crate::db::entity::operations::job;
use crate::db::{Ask, JobState, Tx};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Some jobs behind `after` that gave up, but for those of some kinds; what was asked for before `since` has had enough.
pub async fn gave_up(c: &impl Ask, but: &[&str], since: Millis, after: Uuid, limit: u64) -> Result<Vec<Uuid>> {
    Ok(job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::State.eq(JobState::GaveUp))
        .filter(job::Column::Kind.is_not_in(but.iter().copied()))
        .filter(job::Column::CreatedAt.gte(since))
        .filter(job::Column::Id.gt(after))
        .order_by_asc(job::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Gives jobs that gave up one more try.
pub async fn take_up(tx: &Tx, ids: &[Uuid], now: Millis) -> Result<u64> {
    let row = job::ActiveModel {
        state: Set(JobState::Waiting),
        run_at: Set(now),
        finished_at: Set(None),
        ..Default::default()
    };
    let changed = job::Entity::update_many()
        .set(row)
        .filter(job::Column::State.eq(JobState::GaveUp))
        .filter(job::Column::Id.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected)
}

/// Some jobs that ended in this way before a time.
pub async fn ended(c: &impl Ask, how: JobState, before: Millis, limit: u64) -> Result<Vec<Uuid>> {
    Ok(job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::State.eq(how))
        .filter(job::Column::FinishedAt.lt(before))
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Forgets jobs that ended in this way.
pub async fn forget(tx: &Tx, how: JobState, ids: &[Uuid]) -> Result<u64> {
    let gone = job::Entity::delete_many()
        .filter(job::Column::Id.is_in(ids.iter().copied()))
        .filter(job::Column::State.eq(how));
    Ok(gone.exec(tx.connection()).await?.rows_affected)
}
