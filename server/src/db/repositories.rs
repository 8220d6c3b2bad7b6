//! Repositories.

use super::entity::registry::repository;
use super::{Ask, OnConstraint, RepositoryState, Tx, Visibility, rows};
use crate::clock::Millis;
use crate::error::{Error, Result};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Repository>> {
    Ok(repository::Entity::find_by_id(id).one(c.connection()).await?)
}

/// `name` is without the namespace.
pub async fn find_by_name(c: &impl Ask, namespace_id: Uuid, name: &str) -> Result<Option<rows::Repository>> {
    Ok(repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::Name.eq(name))
        .one(c.connection())
        .await?)
}

/// Live repositories of a namespace, by name; only public ones when `all` is false.
pub async fn list(c: &impl Ask, namespace_id: Uuid, all: bool) -> Result<Vec<rows::Repository>> {
    let mut query = repository::Entity::find()
        .filter(repository::Column::NamespaceId.eq(namespace_id))
        .filter(repository::Column::State.eq(RepositoryState::Live));
    if !all {
        query = query.filter(repository::Column::Visibility.eq(Visibility::Public));
    }
    Ok(query.order_by_asc(repository::Column::Name).all(c.connection()).await?)
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
    repository::Entity::update_many()
        .col_expr(repository::Column::NextBuildNumber, Expr::col(repository::Column::NextBuildNumber).add(1))
        .filter(repository::Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    let next: Option<i64> = repository::Entity::find_by_id(id)
        .select_only()
        .column(repository::Column::NextBuildNumber)
        .into_tuple()
        .one(tx.connection())
        .await?;
    next.map(|n| n - 1).ok_or_else(|| Error::not_found("the repository"))
}

pub async fn touch(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    let row = repository::ActiveModel { id: Set(id), updated_at: Set(now), ..Default::default() };
    row.update(tx.connection()).await?;
    Ok(())
}

pub async fn delete(tx: &Tx, id: Uuid) -> Result<()> {
    repository::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}
