//! Builds: one row for each run of a rule for a commit.

use super::entity::builds::{build, build_attempt, material};
use super::{Ask, BuildState, Tx, rows};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Build>> {
    Ok(build::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn find_attempt(c: &impl Ask, id: Uuid) -> Result<Option<rows::Attempt>> {
    Ok(build_attempt::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn find_attempt_by_token(c: &impl Ask, hash: &str) -> Result<Option<rows::Attempt>> {
    Ok(build_attempt::Entity::find().filter(build_attempt::Column::TokenHash.eq(hash)).one(c.connection()).await?)
}

pub async fn find_by_number(c: &impl Ask, repository_id: Uuid, number: i64) -> Result<Option<rows::Build>> {
    Ok(build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::Number.eq(number))
        .one(c.connection())
        .await?)
}

pub async fn insert(tx: &Tx, row: rows::Build) -> Result<rows::Build> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

/// The build, and nobody else changes it before this transaction ends. Always before its attempt is locked.
pub async fn lock(tx: &Tx, id: Uuid) -> Result<Option<rows::Build>> {
    let mut query = build::Entity::find_by_id(id);
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.one(tx.connection()).await?)
}

/// As `lock`, for a build that waits; `None` when it waits no more, or somebody else is about to take it.
pub async fn lock_queued(tx: &Tx, id: Uuid) -> Result<Option<rows::Build>> {
    let mut query = build::Entity::find_by_id(id).filter(build::Column::State.eq(BuildState::Queued));
    if tx.is_postgres() {
        query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    Ok(query.one(tx.connection()).await?)
}

/// Queued builds of a ref except `but`, locked.
pub async fn lock_queued_of_ref(tx: &Tx, repository_id: Uuid, ref_name: &str, but: Uuid) -> Result<Vec<rows::Build>> {
    let mut query = build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::RefName.eq(ref_name))
        .filter(build::Column::State.eq(BuildState::Queued))
        .filter(build::Column::Id.ne(but))
        .order_by_asc(build::Column::Id);
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.all(tx.connection()).await?)
}

/// Queued builds of a ref of a source, locked.
pub async fn lock_queued_of_source(tx: &Tx, source_id: Uuid, ref_name: &str) -> Result<Vec<rows::Build>> {
    let mut query = build::Entity::find()
        .filter(build::Column::SourceId.eq(source_id))
        .filter(build::Column::RefName.eq(ref_name))
        .filter(build::Column::State.eq(BuildState::Queued))
        .order_by_asc(build::Column::Id);
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.all(tx.connection()).await?)
}

/// Writes what can change of a locked build.
pub async fn save(tx: &Tx, b: &rows::Build) -> Result<()> {
    let row = build::ActiveModel {
        id: Set(b.id),
        state: Set(b.state),
        reason: Set(b.reason.clone()),
        detail: Set(b.detail.clone()),
        failure: Set(b.failure.clone()),
        digest: Set(b.digest.clone()),
        superseded_by: Set(b.superseded_by),
        requeues: Set(b.requeues),
        started_at: Set(b.started_at),
        finished_at: Set(b.finished_at),
        cancel_requested_at: Set(b.cancel_requested_at),
        cancelled_by: Set(b.cancelled_by.clone()),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// Builds of a repository with a number below `before`, newest first.
pub async fn list(c: &impl Ask, repository_id: Uuid, before: Option<i64>, limit: u64) -> Result<Vec<rows::Build>> {
    let mut query = build::Entity::find().filter(build::Column::RepositoryId.eq(repository_id));
    if let Some(before) = before {
        query = query.filter(build::Column::Number.lt(before));
    }
    Ok(query.order_by_desc(build::Column::Number).limit(limit).all(c.connection()).await?)
}

/// The newest good builds of a ref.
pub async fn good_of_ref(c: &impl Ask, repository_id: Uuid, ref_name: &str, limit: u64) -> Result<Vec<rows::Build>> {
    Ok(build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::RefName.eq(ref_name))
        .filter(build::Column::State.eq(BuildState::Succeeded))
        .order_by_desc(build::Column::Number)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// The newest build of a commit, for its title and author.
pub async fn of_commit(c: &impl Ask, repository_id: Uuid, commit: &str) -> Result<Option<rows::Build>> {
    Ok(build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::CommitHash.eq(commit))
        .order_by_desc(build::Column::Number)
        .one(c.connection())
        .await?)
}

/// What came of a commit, of all its builds for branches, or for git tags: a good one before one under way, that before a
/// bad one, and that before one that was not built; of two, the newest. Builds that were skipped when they were made count
/// as none.
pub async fn outcome_of_commit(
    c: &impl Ask,
    repository_id: Uuid,
    commit: &str,
    of_tags: bool,
) -> Result<Option<rows::Build>> {
    use BuildState::{Cancelled, Failed, PartlyFailed, Queued, Running, Skipped, Succeeded, TimedOut};
    let is_in = |states: &[BuildState]| Condition::all().add(build::Column::State.is_in(states.iter().copied()));
    let superseded =
        Condition::all().add(build::Column::State.eq(Skipped)).add(build::Column::SupersededBy.is_not_null());
    for which in [
        is_in(&[Succeeded]),
        is_in(&[Queued, Running]),
        is_in(&[Failed, PartlyFailed, TimedOut]),
        Condition::any().add(build::Column::State.eq(Cancelled)).add(superseded),
    ] {
        let found = build::Entity::find()
            .filter(build::Column::RepositoryId.eq(repository_id))
            .filter(build::Column::CommitHash.eq(commit))
            .filter(build::Column::RefName.starts_with(if of_tags { "refs/tags/" } else { "refs/heads/" }))
            .filter(which)
            .order_by_desc(build::Column::Number)
            .one(c.connection())
            .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Notes what an image was made of; the same twice is one.
pub async fn insert_materials(tx: &Tx, materials: Vec<rows::Material>) -> Result<()> {
    if materials.is_empty() {
        return Ok(());
    }
    let known = [material::Column::BuildId, material::Column::Uri, material::Column::Digest];
    material::Entity::insert_many(materials.into_iter().map(|m| m.into_active_model().reset_all()))
        .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// What the image of a build was made of.
pub async fn materials(c: &impl Ask, build_id: Uuid) -> Result<Vec<rows::Material>> {
    Ok(material::Entity::find()
        .filter(material::Column::BuildId.eq(build_id))
        .order_by_asc(material::Column::Uri)
        .limit(1_000)
        .all(c.connection())
        .await?)
}

/// Builds of a ref, newest first.
pub async fn of_ref(c: &impl Ask, repository_id: Uuid, ref_name: &str, limit: u64) -> Result<Vec<rows::Build>> {
    Ok(build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::RefName.eq(ref_name))
        .order_by_desc(build::Column::Number)
        .limit(limit)
        .all(c.connection())
        .await?)
}

pub async fn newest_of_ref(c: &impl Ask, repository_id: Uuid, ref_name: &str) -> Result<Option<rows::Build>> {
    Ok(build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::RefName.eq(ref_name))
        .order_by_desc(build::Column::Number)
        .one(c.connection())
        .await?)
}

/// Whether a build of the repository waits or runs.
pub async fn is_any_open(c: &impl Ask, repository_id: Uuid) -> Result<bool> {
    let open = build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::State.is_in([BuildState::Queued, BuildState::Running]));
    Ok(open.one(c.connection()).await?.is_some())
}

pub async fn count(c: &impl Ask, repository_id: Uuid) -> Result<u64> {
    Ok(build::Entity::find().filter(build::Column::RepositoryId.eq(repository_id)).count(c.connection()).await?)
}
