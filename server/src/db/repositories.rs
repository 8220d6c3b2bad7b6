//! Repositories.

use super::entity::registry::{repository, repository_blob, upload};
use super::namespaces::with_role;
use super::search::contains;
use super::{Ask, OnConstraint, PrincipalKind, RepositoryState, Tx, Visibility, rows};
use crate::clock::Millis;
use crate::error::{Error, Result};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, Query};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// One that is not being deleted.
pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Repository>> {
    Ok(repository::Entity::find_by_id(id).filter(is_kept()).one(c.connection()).await?)
}

/// As `find`, also one that is being deleted: for those that remove what belonged to it.
pub async fn find_in_any_state(c: &impl Ask, id: Uuid) -> Result<Option<rows::Repository>> {
    Ok(repository::Entity::find_by_id(id).one(c.connection()).await?)
}

fn is_kept() -> sea_orm::sea_query::SimpleExpr {
    repository::Column::State.ne(RepositoryState::Deleting)
}

/// `name` is without the namespace.
pub async fn find_by_name(c: &impl Ask, namespace_id: Uuid, name: &str) -> Result<Option<rows::Repository>> {
    Ok(repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::Name.eq(name))
        .filter(is_kept())
        .one(c.connection())
        .await?)
}

/// Live repositories of a namespace whose name holds `part`; only public ones when `all` is false.
fn listed(namespace_id: Uuid, all: bool, part: &str) -> Select<repository::Entity> {
    let mut query = repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::State.eq(RepositoryState::Live));
    if !all {
        query = query.filter(repository::Column::Visibility.eq(Visibility::Public));
    }
    if part.is_empty() { query } else { query.filter(contains(repository::Column::Name, part)) }
}

/// How many repositories `page` lists.
pub async fn count_listed(c: &impl Ask, namespace_id: Uuid, all: bool, part: &str) -> Result<u64> {
    Ok(listed(namespace_id, all, part).count(c.connection()).await?)
}

/// Some of the live repositories of a namespace whose name holds `part`, by name or the last changed first; only public
/// ones when `all` is false.
pub async fn page(
    c: &impl Ask,
    (namespace_id, all): (Uuid, bool),
    part: &str,
    by_name: bool,
    offset: u64,
    limit: u64,
) -> Result<Vec<rows::Repository>> {
    let query = listed(namespace_id, all, part);
    let query = if by_name { query } else { query.order_by_desc(repository::Column::UpdatedAt) };
    Ok(query.order_by_asc(repository::Column::Name).offset(offset).limit(limit).all(c.connection()).await?)
}

/// The live repositories that changed last where a person has a role.
pub async fn newest_of_user(c: &impl Ask, user_id: Uuid, limit: u64) -> Result<Vec<rows::Repository>> {
    Ok(repository::Entity::find()
        .filter(repository::Column::NamespaceId.in_subquery(with_role(user_id)))
        .filter(repository::Column::State.eq(RepositoryState::Live))
        .order_by_desc(repository::Column::UpdatedAt)
        .order_by_asc(repository::Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// How many repositories of a namespace have a name.
pub async fn count_named(c: &impl Ask, namespace_id: Uuid) -> Result<u64> {
    let states = [RepositoryState::Live, RepositoryState::Provisional];
    Ok(repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::State.is_in(states))
        .count(c.connection())
        .await?)
}

/// Refuses one more repository in a namespace that holds as many as it may. Two requests at once may both find the last
/// place free.
pub async fn check_number(tx: &Tx, namespace: &rows::Namespace, most: u64) -> Result<()> {
    if count_named(tx, namespace.id).await? < most {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "`{}` holds as many repositories as a namespace may ({most}): delete some of them first",
        namespace.name
    )))
}

/// A few repositories by their ids.
pub async fn find_all(c: &impl Ask, ids: impl IntoIterator<Item = Uuid>) -> Result<Vec<rows::Repository>> {
    Ok(repository::Entity::find().filter(repository::Column::Id.is_in(ids)).all(c.connection()).await?)
}

/// The public repository that changed last.
pub async fn newest_public(c: &impl Ask) -> Result<Option<rows::Repository>> {
    Ok(repository::Entity::find()
        .filter(repository::Column::State.eq(RepositoryState::Live))
        .filter(repository::Column::Visibility.eq(Visibility::Public))
        .order_by_desc(repository::Column::UpdatedAt)
        .one(c.connection())
        .await?)
}

pub async fn has_public(c: &impl Ask, namespace_id: Uuid) -> Result<bool> {
    Ok(repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::State.eq(RepositoryState::Live))
        .filter(repository::Column::Visibility.eq(Visibility::Public))
        .one(c.connection())
        .await?
        .is_some())
}

pub async fn insert(tx: &Tx, row: rows::Repository) -> Result<rows::Repository> {
    let name = row.name.clone();
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("repository_namespace_id_name", || Error::Conflict(format!("a repository `{name}` exists already")))
}

/// Holds the repository until the transaction ends: on PostgreSQL two requests would else move one tag at once,
/// each from what it was before both. SQLite has one writer anyway. An error when it is being deleted, or is gone.
pub async fn lock(tx: &Tx, id: Uuid) -> Result<()> {
    let mut query = repository::Entity::find_by_id(id).filter(is_kept());
    if tx.is_postgres() {
        // Not stronger: rows that refer to the repository may be inserted beside it.
        query = query.lock(LockType::NoKeyUpdate);
    }
    match query.one(tx.connection()).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found("this repository")),
    }
}

/// A provisional repository has got its first manifest.
pub async fn make_live(tx: &Tx, id: Uuid, now: Millis) -> Result<bool> {
    let changed = repository::Entity::update_many()
        .col_expr(repository::Column::State, Expr::value(RepositoryState::Live.as_str()))
        .col_expr(repository::Column::UpdatedAt, Expr::value(now))
        .filter(repository::Column::Id.eq(id))
        .filter(repository::Column::State.eq(RepositoryState::Provisional))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Something in the repository changed.
pub async fn touch(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    let change = repository::Entity::update_many().col_expr(repository::Column::UpdatedAt, Expr::value(now));
    change.filter(repository::Column::Id.eq(id)).exec(tx.connection()).await?;
    Ok(())
}

/// An import takes the name of a push that broke off: what was pushed is linked no more, and uploads may go on.
pub async fn take_over(tx: &Tx, id: Uuid, visibility: Visibility, now: Millis) -> Result<bool> {
    if !make_live(tx, id, now).await? {
        return Ok(false);
    }
    repository_blob::Entity::delete_many()
        .filter(repository_blob::Column::RepositoryId.eq(id))
        .exec(tx.connection())
        .await?;
    set_visibility(tx, id, visibility, now).await?;
    Ok(true)
}

/// Provisional repositories that got no byte since `before` and have no upload left.
pub async fn left_provisional(c: &impl Ask, before: Millis, limit: u64) -> Result<Vec<rows::Repository>> {
    let id = (repository::Entity, repository::Column::Id);
    let uploads = Query::select()
        .expr(Expr::val(1))
        .from(upload::Entity)
        .and_where(Expr::col((upload::Entity, upload::Column::RepositoryId)).equals(id))
        .to_owned();
    let fresh = Query::select()
        .expr(Expr::val(1))
        .from(repository_blob::Entity)
        .and_where(Expr::col((repository_blob::Entity, repository_blob::Column::RepositoryId)).equals(id))
        .and_where(Expr::col((repository_blob::Entity, repository_blob::Column::CreatedAt)).gte(before))
        .to_owned();
    Ok(repository::Entity::find()
        .filter(repository::Column::State.eq(RepositoryState::Provisional))
        .filter(repository::Column::UpdatedAt.lt(before))
        .filter(Expr::exists(uploads).not())
        .filter(Expr::exists(fresh).not())
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// The provisional repositories that a principal made.
pub async fn provisional_of(c: &impl Ask, kind: PrincipalKind, id: Option<Uuid>) -> Result<Vec<Uuid>> {
    let maker = id.map_or_else(|| repository::Column::MakerId.is_null(), |id| repository::Column::MakerId.eq(id));
    Ok(repository::Entity::find()
        .select_only()
        .column(repository::Column::Id)
        .filter(repository::Column::State.eq(RepositoryState::Provisional))
        .filter(repository::Column::MakerKind.eq(kind))
        .filter(maker)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Repositories whose name in the namespace has one part.
pub async fn of_one_part(c: &impl Ask, namespace_id: Uuid) -> Result<Vec<rows::Repository>> {
    Ok(repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::State.ne(RepositoryState::Deleting))
        .filter(repository::Column::Name.not_like("%/%"))
        .all(c.connection())
        .await?)
}

/// Takes name and sight from a repository that is in `state` still; its rows are for a job to remove.
pub async fn begin_deletion(tx: &Tx, id: Uuid, state: RepositoryState) -> Result<bool> {
    let changed = repository::Entity::update_many()
        .col_expr(repository::Column::State, Expr::value(RepositoryState::Deleting.as_str()))
        .filter(repository::Column::Id.eq(id))
        .filter(repository::Column::State.eq(state))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Repositories that are being deleted.
pub async fn deleting(c: &impl Ask, limit: u64) -> Result<Vec<Uuid>> {
    Ok(repository::Entity::find()
        .select_only()
        .column(repository::Column::Id)
        .filter(repository::Column::State.eq(RepositoryState::Deleting))
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

pub async fn set_visibility(tx: &Tx, id: Uuid, visibility: Visibility, now: Millis) -> Result<()> {
    let row = repository::ActiveModel {
        id: Set(id),
        visibility: Set(visibility),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// Takes the next build number of a repository; callers hold a transaction, so numbers have no gap.
pub async fn next_build_number(tx: &Tx, id: Uuid) -> Result<i64> {
    let taken = repository::Entity::update_many()
        .col_expr(repository::Column::NextBuildNumber, Expr::col(repository::Column::NextBuildNumber).add(1))
        .filter(repository::Column::Id.eq(id))
        .filter(is_kept())
        .exec(tx.connection())
        .await?;
    if taken.rows_affected == 0 {
        // What was to build into it is asked for again, and then nothing is.
        return Err(Error::Unavailable("the repository was deleted a moment ago".into()));
    }
    let next: Option<i64> = repository::Entity::find_by_id(id)
        .select_only()
        .column(repository::Column::NextBuildNumber)
        .into_tuple()
        .one(tx.connection())
        .await?;
    next.map(|n| n - 1).ok_or_else(|| Error::not_found("the repository"))
}

/// From now on each question for somebody's role fails, as it does when the database is away.
#[cfg(test)]
pub(crate) async fn lose_roles(tx: &Tx) {
    tx.connection().execute_unprepared("DROP TABLE namespace_grant").await.unwrap();
}
