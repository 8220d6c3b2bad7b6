//! Builds: one row for each run of a rule for a commit.

use super::entity::builds::{build, build_attempt, material};
use super::entity::sources::source;
use super::search::{begins, contains};
use super::{Ask, BuildState, Tx, rows};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict, Query};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// So many letters of a commit's hash everybody reads.
const SHORT_HASH: usize = 7;

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

/// Whose title and whole commit hash a search may look at: what a page does not tell, no hit may tell either.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    All,
    /// Builds of public code, and of this source.
    Public {
        and: Option<Uuid>,
    },
}

/// Builds of a repository that `text` tells of (branch, tag, title, number, or begin of the commit), newest first, and
/// how many there are.
pub async fn search(
    c: &impl Ask,
    repository_id: Uuid,
    text: &str,
    told: Told,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::Build>, u64)> {
    let mut code =
        Condition::any().add(contains(build::Column::CommitTitle, text)).add(begins(build::Column::CommitHash, text));
    if let Told::Public { and } = told {
        let public = Query::select()
            .column(source::Column::Id)
            .from(source::Entity)
            .and_where(source::Column::IsPrivate.eq(false))
            .to_owned();
        let known = Condition::any().add(build::Column::SourceId.in_subquery(public));
        let known = known.add_option(and.map(|id| build::Column::SourceId.eq(id)));
        code = Condition::all().add(known).add(code);
    }
    let mut hit = Condition::any().add(contains(build::Column::RefName, text)).add(code);
    if text.chars().count() <= SHORT_HASH {
        hit = hit.add(begins(build::Column::CommitHash, text));
    }
    if let Ok(number) = text.trim_start_matches('#').parse::<i64>() {
        hit = hit.add(build::Column::Number.eq(number));
    }
    let query = build::Entity::find().filter(build::Column::RepositoryId.eq(repository_id)).filter(hit);
    let total = query.clone().count(c.connection()).await?;
    let newest = query.order_by_desc(build::Column::Number).offset(offset).limit(limit);
    Ok((newest.all(c.connection()).await?, total))
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

pub async fn newest_of_ref(c: &impl Ask, repository_id: Uuid, ref_name: &str) -> Result<Option<rows::Build>> {
    Ok(build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::RefName.eq(ref_name))
        .order_by_desc(build::Column::Number)
        .one(c.connection())
        .await?)
}

pub async fn count(c: &impl Ask, repository_id: Uuid) -> Result<u64> {
    Ok(build::Entity::find().filter(build::Column::RepositoryId.eq(repository_id)).count(c.connection()).await?)
}
