//! The job table: rows with a lease, so that they survive `kill -9`.

mod ended;
#[cfg(test)]
mod tests;

pub use ended::{ended, forget, gave_up, take_up};

use super::entity::operations::job;
use super::{Ask, JobState, Lane, OnConstraint as _, Tx, rows};
use crate::clock::{HOUR, MINUTE, Millis};
use crate::error::{Error, Result};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Select,
};
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

/// Adds a job; one with the key of a job that still waits is left out, and that one comes as early as this one would: it
/// may wait for another try.
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
        deaths: 0,
    };
    let run_at = |table: &'static str| Expr::col((table, job::Column::RunAt));
    let earlier = OnConflict::column(job::Column::DedupeKey)
        .update_column(job::Column::RunAt)
        .action_and_where(run_at("job").gt(run_at("excluded")))
        .to_owned();
    job::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(earlier)
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// What jobs of a kind that wait or run were asked for.
pub async fn open_payloads(c: &impl Ask, lane: Lane, kind: &str) -> Result<Vec<String>> {
    payloads(c, lane, kind, &[JobState::Waiting, JobState::Running]).await
}

/// What jobs of a kind were asked for that are not done, also those that gave up or failed.
pub async fn all_payloads(c: &impl Ask, lane: Lane, kind: &str) -> Result<Vec<String>> {
    payloads(c, lane, kind, &[JobState::Waiting, JobState::Running, JobState::GaveUp, JobState::Failed]).await
}

async fn payloads(c: &impl Ask, lane: Lane, kind: &str, states: &[JobState]) -> Result<Vec<String>> {
    Ok(job::Entity::find()
        .select_only()
        .column(job::Column::Payload)
        .filter(job::Column::Lane.eq(lane))
        .filter(job::Column::State.is_in(states.iter().copied()))
        .filter(job::Column::Kind.eq(kind))
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// A job that was claimed. Its row has no key while it runs: the same work may be asked for again, and would see newer
/// data. Here the key stays, for another try.
pub struct Claimed {
    pub job: rows::Job,
    /// Whoever ran it before did not come to an end.
    pub is_abandoned: bool,
}

/// The jobs of a lane that are due, as a question for each way to be so: each reads one range of an index, and no job
/// that ended. A time that no right clock can have written has come, too: else a clock that was set back would stop the
/// work for as long.
fn due(lane: Lane, now: Millis) -> [Select<job::Entity>; 4] {
    let of =
        |state: JobState| job::Entity::find().filter(job::Column::Lane.eq(lane)).filter(job::Column::State.eq(state));
    let waits = |when| of(JobState::Waiting).filter(when);
    let ran_out =
        Condition::any().add(job::Column::LockedUntil.lt(now)).add(job::Column::LockedUntil.gt(now + 2 * LEASE));
    [
        // As many as a lane has places, but for those whose worker died.
        of(JobState::Running).filter(ran_out).order_by_asc(job::Column::RunAt),
        waits(job::Column::RunAt.lte(now)).order_by_asc(job::Column::RunAt),
        waits(job::Column::RunAt.gt(now + LONGEST_WAIT + MINUTE)).order_by_asc(job::Column::RunAt),
        waits(job::Column::CreatedAt.gt(now + MINUTE)).order_by_asc(job::Column::CreatedAt),
    ]
}

/// Whether a lane has a job that is due: a look that takes no lock.
pub async fn is_due(c: &impl Ask, lane: Lane, now: Millis) -> Result<bool> {
    let exists = |query: Select<job::Entity>| Expr::exists(query.select_only().column(job::Column::Id).into_query());
    let any = due(lane, now).into_iter().fold(Condition::any(), |any, query| any.add(exists(query)));
    let one = Query::select().expr(Expr::val(1)).cond_where(any).to_owned();
    Ok(c.connection().query_one(&one).await?.is_some())
}

/// Claims the next due job of a lane, for the length of a lease.
pub async fn claim_next(tx: &Tx, lane: Lane, now: Millis) -> Result<Option<Claimed>> {
    for mut query in due(lane, now) {
        if tx.is_postgres() {
            query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        if let Some(found) = query.limit(1).one(tx.connection()).await? {
            return Ok(Some(claim(tx, found, now).await?));
        }
    }
    Ok(None)
}

async fn claim(tx: &Tx, found: rows::Job, now: Millis) -> Result<Claimed> {
    let is_abandoned = found.state == JobState::Running;
    let claimed = job::ActiveModel {
        id: Set(found.id),
        state: Set(JobState::Running),
        locked_until: Set(Some(now + LEASE)),
        attempts: Set(found.attempts + 1),
        deaths: Set(found.deaths + i64::from(is_abandoned)),
        dedupe_key: Set(None),
        ..Default::default()
    };
    let row = claimed.update(tx.connection()).await?;
    Ok(Claimed { job: rows::Job { dedupe_key: found.dedupe_key, ..row }, is_abandoned })
}

/// The row of a job, while its present attempt is still this one.
fn present(job: &rows::Job) -> Condition {
    Condition::all()
        .add(job::Column::Id.eq(job.id))
        .add(job::Column::State.eq(JobState::Running))
        .add(job::Column::Attempts.eq(job.attempts))
}

/// Changes a job; false when another worker took it over.
async fn change(tx: &Tx, job: &rows::Job, change: job::ActiveModel) -> Result<bool> {
    let changed = job::Entity::update_many()
        .set(change)
        .filter(present(job))
        .exec(tx.connection())
        .await
        .on_unique("job_dedupe_key", || Error::Conflict("the same work is asked for again".into()))?;
    Ok(changed.rows_affected == 1)
}

/// Keeps the lease of a running job; false when it is lost.
pub async fn extend(tx: &Tx, job: &rows::Job, now: Millis) -> Result<bool> {
    change(tx, job, job::ActiveModel { locked_until: Set(Some(now + LEASE)), ..Default::default() }).await
}

/// How an attempt at a job ended.
pub enum End {
    Done,
    /// To be tried again at this time, unless the same work was asked for again meanwhile.
    Retry(String, Millis),
    /// Its tries are used up.
    GaveUp(String),
    /// Trying again is no use. The row stays for a person to read, until `ended` finds it.
    Failed(String),
}

/// Writes the end of an attempt; false when another worker took the job over. `Conflict` when the same work is asked
/// for again just now: a second call sees it.
pub async fn end(tx: &Tx, job: &rows::Job, end: &End, now: Millis) -> Result<bool> {
    let (state, error, run_at) = match end {
        End::Done => return remove(tx, job).await,
        End::Retry(..) if is_asked_again(tx, job).await? => return remove(tx, job).await,
        End::Retry(error, at) => (JobState::Waiting, error, *at),
        End::GaveUp(error) => (JobState::GaveUp, error, now),
        End::Failed(error) => (JobState::Failed, error, now),
    };
    let waits = state == JobState::Waiting;
    let row = job::ActiveModel {
        state: Set(state),
        locked_until: Set(None),
        last_error: Set(Some(error.clone())),
        finished_at: Set(Some(now).filter(|_| !waits)),
        run_at: Set(run_at),
        deaths: Set(0),
        dedupe_key: Set(job.dedupe_key.clone().filter(|_| waits)),
        ..Default::default()
    };
    change(tx, job, row).await
}

/// What is done leaves no row: a table that only grows would be walked by whoever looks for work.
async fn remove(tx: &Tx, job: &rows::Job) -> Result<bool> {
    Ok(job::Entity::delete_many().filter(present(job)).exec(tx.connection()).await?.rows_affected == 1)
}

/// Whether another job has the key that this one was claimed with.
async fn is_asked_again(tx: &Tx, job: &rows::Job) -> Result<bool> {
    let Some(key) = &job.dedupe_key else { return Ok(false) };
    let other = job::Entity::find().select_only().column(job::Column::Id).filter(job::Column::DedupeKey.eq(key));
    Ok(other.into_tuple::<Uuid>().one(tx.connection()).await?.is_some())
}

#[cfg(test)]
pub(crate) async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Job>> {
    Ok(job::Entity::find_by_id(id).one(c.connection()).await?)
}

/// For tests: a job that ended in this way.
#[cfg(test)]
pub(crate) async fn force(tx: &Tx, id: Uuid, state: JobState, at: Millis) {
    let row = job::ActiveModel { id: Set(id), state: Set(state), finished_at: Set(Some(at)), ..Default::default() };
    row.update(tx.connection()).await.unwrap();
}

/// Jobs that wait or run.
#[cfg(test)]
pub(crate) async fn count_open(c: &impl Ask) -> Result<u64> {
    Ok(job::Entity::find()
        .filter(job::Column::State.is_in([JobState::Waiting, JobState::Running]))
        .count(c.connection())
        .await?)
}
