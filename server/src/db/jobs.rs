//! The job table: rows with a lease, so that they survive `kill -9`.

use super::entity::operations::job;
use super::{Ask, JobState, Lane, Tx, rows};
use crate::clock::{HOUR, MINUTE, Millis};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, LockBehavior, LockType, OnConflict};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// No job waits longer for its time.
pub const LONGEST_WAIT: Millis = HOUR;
/// A job whose worker is gone is claimed again after this long; a running one keeps its lease.
pub const LEASE: Millis = 2 * MINUTE;

/// A job in the making.
pub struct NewJob {
    pub lane: Lane,
    pub kind: &'static str,
    pub payload: String,
    pub dedupe_key: Option<String>,
    pub run_at: Millis,
}

/// Adds a job; one with the key of a job that still waits is left out.
pub async fn add(tx: &Tx, new: NewJob, now: Millis) -> Result<()> {
    let row = rows::Job {
        id: Uuid::now_v7(),
        lane: new.lane,
        kind: new.kind.to_owned(),
        payload: new.payload,
        dedupe_key: new.dedupe_key,
        state: JobState::Waiting,
        run_at: new.run_at,
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

/// A job that was claimed.
pub struct Claimed {
    pub job: rows::Job,
    /// Whoever ran it before did not come to an end.
    pub is_abandoned: bool,
}

/// Jobs of a lane that wait and whose time has come, or whose lease ran out. A time that no right clock can have written
/// has come, too: else a clock that was set back would stop the work for as long.
fn due(lane: Lane, now: Millis) -> Condition {
    let waits = job::Column::State.eq(JobState::Waiting);
    let time_has_come = Condition::any()
        .add(job::Column::RunAt.lte(now))
        .add(job::Column::RunAt.gt(now + LONGEST_WAIT + MINUTE))
        .add(job::Column::CreatedAt.gt(now + MINUTE));
    let runs = job::Column::State.eq(JobState::Running);
    let ran_out =
        Condition::any().add(job::Column::LockedUntil.lt(now)).add(job::Column::LockedUntil.gt(now + 2 * LEASE));
    let any = Condition::any()
        .add(Condition::all().add(waits).add(time_has_come))
        .add(Condition::all().add(runs).add(ran_out));
    Condition::all().add(job::Column::Lane.eq(lane)).add(any)
}

/// Whether a lane has a job that is due: a look that takes no lock.
pub async fn is_due(c: &impl Ask, lane: Lane, now: Millis) -> Result<bool> {
    let one = job::Entity::find().select_only().column(job::Column::Id).filter(due(lane, now)).limit(1);
    Ok(one.into_tuple::<Uuid>().one(c.connection()).await?.is_some())
}

/// Claims the next due job of a lane, for the length of a lease.
pub async fn claim_next(tx: &Tx, lane: Lane, now: Millis) -> Result<Option<Claimed>> {
    let mut query = job::Entity::find().filter(due(lane, now)).order_by_asc(job::Column::RunAt);
    if tx.is_postgres() {
        query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    let Some(found) = query.limit(1).one(tx.connection()).await? else { return Ok(None) };
    let claimed = job::ActiveModel {
        id: Set(found.id),
        state: Set(JobState::Running),
        locked_until: Set(Some(now + LEASE)),
        attempts: Set(found.attempts + 1),
        // From here on the same work may be asked for again: it would see newer data than this run.
        dedupe_key: Set(None),
        ..Default::default()
    };
    let job = claimed.update(tx.connection()).await?;
    Ok(Some(Claimed { job, is_abandoned: found.state == JobState::Running }))
}

/// Changes a job while its present attempt is still this one; false when another worker took it over.
async fn change(tx: &Tx, job: &rows::Job, change: job::ActiveModel) -> Result<bool> {
    let changed = job::Entity::update_many()
        .set(change)
        .filter(job::Column::Id.eq(job.id))
        .filter(job::Column::State.eq(JobState::Running))
        .filter(job::Column::Attempts.eq(job.attempts))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Keeps the lease of a running job; false when it is lost.
pub async fn extend(tx: &Tx, job: &rows::Job, now: Millis) -> Result<bool> {
    change(tx, job, job::ActiveModel { locked_until: Set(Some(now + LEASE)), ..Default::default() }).await
}

/// How an attempt at a job ended.
pub enum End {
    Done,
    /// To be tried again at this time.
    Retry(String, Millis),
    /// Its tries are used up.
    GaveUp(String),
    /// Trying again is no use. The row stays for a person to read, until `prune`.
    Failed(String),
}

/// Writes the end of an attempt; false when another worker took the job over.
pub async fn end(tx: &Tx, job: &rows::Job, end: End, now: Millis) -> Result<bool> {
    let (state, error, run_at) = match end {
        End::Done => (JobState::Done, None, now),
        End::Retry(error, at) => (JobState::Waiting, Some(error), at),
        End::GaveUp(error) => (JobState::GaveUp, Some(error), now),
        End::Failed(error) => (JobState::Failed, Some(error), now),
    };
    let row = job::ActiveModel {
        state: Set(state),
        locked_until: Set(None),
        last_error: Set(error),
        finished_at: Set(Some(now).filter(|_| state != JobState::Waiting)),
        run_at: Set(run_at),
        ..Default::default()
    };
    change(tx, job, row).await
}

/// Gives what gave up one more try; what was asked for before `since` has had enough.
pub async fn take_up(tx: &Tx, since: Millis, now: Millis) -> Result<u64> {
    let row = job::ActiveModel {
        state: Set(JobState::Waiting),
        run_at: Set(now),
        finished_at: Set(None),
        ..Default::default()
    };
    let changed = job::Entity::update_many()
        .set(row)
        .filter(job::Column::State.eq(JobState::GaveUp))
        .filter(job::Column::CreatedAt.gte(since))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected)
}

/// Forgets jobs that were done before `done_before`, and those that failed before `failed_before`.
pub async fn prune(tx: &Tx, done_before: Millis, failed_before: Millis) -> Result<u64> {
    let ended = |state: JobState, before: Millis| job::Column::State.eq(state).and(job::Column::FinishedAt.lt(before));
    let old = Condition::any()
        .add(ended(JobState::Done, done_before))
        .add(ended(JobState::Failed, failed_before))
        .add(ended(JobState::GaveUp, failed_before));
    let gone = job::Entity::delete_many().filter(old).exec(tx.connection()).await?;
    Ok(gone.rows_affected)
}

#[cfg(test)]
pub(crate) async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Job>> {
    Ok(job::Entity::find_by_id(id).one(c.connection()).await?)
}

/// Jobs that wait or run.
#[cfg(test)]
pub(crate) async fn count_open(c: &impl Ask) -> Result<u64> {
    Ok(job::Entity::find()
        .filter(job::Column::State.is_in([JobState::Waiting, JobState::Running]))
        .count(c.connection())
        .await?)
}
