//! The job table: rows with a lease, so that they survive `kill -9`.

use super::entity::operations::job;
use super::{Ask, JobState, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, OnConflict};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Adds a job; one with the key of a job that still waits is left out.
pub async fn add(
    tx: &Tx,
    kind: &str,
    payload: String,
    dedupe_key: Option<String>,
    run_at: Millis,
    now: Millis,
) -> Result<()> {
    let row = rows::Job {
        id: Uuid::now_v7(),
        kind: kind.to_owned(),
        payload,
        dedupe_key,
        state: JobState::Waiting,
        run_at,
        locked_until: None,
        attempts: 0,
        last_error: None,
        cause: None,
        created_at: now,
        finished_at: None,
    };
    job::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::column(job::Column::DedupeKey).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// What jobs of a kind that wait or run were asked for.
pub async fn open_payloads(c: &impl Ask, kind: &str) -> Result<Vec<String>> {
    Ok(job::Entity::find()
        .select_only()
        .column(job::Column::Payload)
        .filter(job::Column::State.is_in([JobState::Waiting, JobState::Running]))
        .filter(job::Column::Kind.eq(kind))
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Claims the next due job until `locked_until`: one that waits, or one whose lease ran out.
pub async fn claim_next(tx: &Tx, now: Millis, locked_until: Millis) -> Result<Option<rows::Job>> {
    let due = Condition::any()
        .add(job::Column::State.eq(JobState::Waiting).and(job::Column::RunAt.lte(now)))
        .add(job::Column::State.eq(JobState::Running).and(job::Column::LockedUntil.lt(now)));
    let mut query = job::Entity::find().filter(due).order_by_asc(job::Column::RunAt);
    if tx.is_postgres() {
        query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    let Some(found) = query.limit(1).one(tx.connection()).await? else { return Ok(None) };
    let claimed = job::ActiveModel {
        id: Set(found.id),
        state: Set(JobState::Running),
        locked_until: Set(Some(locked_until)),
        attempts: Set(found.attempts + 1),
        // From here on the same work may be asked for again: it would see newer data than this run.
        dedupe_key: Set(None),
        ..Default::default()
    };
    Ok(Some(claimed.update(tx.connection()).await?))
}

/// Keeps the lease of a running job.
pub async fn extend(tx: &Tx, id: Uuid, locked_until: Millis) -> Result<()> {
    job::Entity::update_many()
        .col_expr(job::Column::LockedUntil, Expr::value(locked_until))
        .filter(job::Column::Id.eq(id))
        .filter(job::Column::State.eq(JobState::Running))
        .exec(tx.connection())
        .await?;
    Ok(())
}

pub async fn finish(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    end(tx, id, JobState::Done, None, Some(now), now).await
}

/// Puts the job back for `run_at`.
pub async fn retry(tx: &Tx, id: Uuid, error: String, run_at: Millis) -> Result<()> {
    end(tx, id, JobState::Waiting, Some(error), None, run_at).await
}

/// Gives up; the row stays for a person to read, until `prune`.
pub async fn fail(tx: &Tx, id: Uuid, error: String, now: Millis) -> Result<()> {
    end(tx, id, JobState::Failed, Some(error), Some(now), now).await
}

async fn end(
    tx: &Tx,
    id: Uuid,
    state: JobState,
    error: Option<String>,
    finished_at: Option<Millis>,
    run_at: Millis,
) -> Result<()> {
    let row = job::ActiveModel {
        id: Set(id),
        state: Set(state),
        locked_until: Set(None),
        last_error: Set(error),
        finished_at: Set(finished_at),
        run_at: Set(run_at),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// Forgets jobs that were done before `done_before`, and those that failed before `failed_before`.
pub async fn prune(tx: &Tx, done_before: Millis, failed_before: Millis) -> Result<u64> {
    let ended = |state: JobState, before: Millis| job::Column::State.eq(state).and(job::Column::FinishedAt.lt(before));
    let old = Condition::any().add(ended(JobState::Done, done_before)).add(ended(JobState::Failed, failed_before));
    let gone = job::Entity::delete_many().filter(old).exec(tx.connection()).await?;
    Ok(gone.rows_affected)
}

/// Jobs that wait or run.
#[cfg(test)]
pub(crate) async fn count_open(c: &impl Ask) -> Result<u64> {
    Ok(job::Entity::find()
        .filter(job::Column::State.is_in([JobState::Waiting, JobState::Running]))
        .count(c.connection())
        .await?)
}
