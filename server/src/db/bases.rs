//! Which private images builds of a repository may start from.

use super::entity::builds::{allowed_base, bases_to_list, build, material};
use super::entity::registry::repository;
use super::{Ask, RepositoryState, Tx, rows};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _};
use uuid::Uuid;

/// The ids of a repository's bases.
pub async fn ids(c: &impl Ask, repository_id: Uuid) -> Result<Vec<Uuid>> {
    Ok(allowed_base::Entity::find()
        .select_only()
        .column(allowed_base::Column::BaseId)
        .filter(allowed_base::Column::RepositoryId.eq(repository_id))
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// The repositories that they are, by name.
pub async fn list(c: &impl Ask, repository_id: Uuid) -> Result<Vec<rows::Repository>> {
    let ids = ids(c, repository_id).await?;
    Ok(repository::Entity::find()
        .filter(repository::Column::Id.is_in(ids))
        .filter(repository::Column::State.eq(RepositoryState::Live))
        .order_by_asc(repository::Column::Name)
        .all(c.connection())
        .await?)
}

pub async fn count(c: &impl Ask, repository_id: Uuid) -> Result<u64> {
    Ok(allowed_base::Entity::find()
        .filter(allowed_base::Column::RepositoryId.eq(repository_id))
        .count(c.connection())
        .await?)
}

/// Lists a base; false when it was listed before.
pub async fn add(tx: &Tx, row: rows::AllowedBase) -> Result<bool> {
    let known = [allowed_base::Column::RepositoryId, allowed_base::Column::BaseId];
    let added = allowed_base::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(added == 1)
}

/// Takes a base from the list; false when it was not there.
pub async fn remove(tx: &Tx, repository_id: Uuid, base_id: Uuid) -> Result<bool> {
    let gone = allowed_base::Entity::delete_many()
        .filter(allowed_base::Column::RepositoryId.eq(repository_id))
        .filter(allowed_base::Column::BaseId.eq(base_id))
        .exec(tx.connection())
        .await?;
    Ok(gone.rows_affected > 0)
}

/// Repositories whose earlier builds were not read for their bases yet.
pub async fn to_list(c: &impl Ask) -> Result<Vec<Uuid>> {
    let all = bases_to_list::Entity::find().select_only().column(bases_to_list::Column::Id);
    Ok(all.into_tuple().all(c.connection()).await?)
}

/// The repository's earlier builds have been read.
pub async fn is_listed(tx: &Tx, repository_id: Uuid) -> Result<()> {
    bases_to_list::Entity::delete_by_id(repository_id).exec(tx.connection()).await?;
    Ok(())
}

/// As an upgrade leaves a repository that has built before.
#[cfg(test)]
pub async fn ask_to_list(tx: &Tx, repository_id: Uuid) -> Result<()> {
    let row = bases_to_list::Model { id: repository_id };
    bases_to_list::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx.connection()).await?;
    Ok(())
}

/// The addresses of the images that builds of a repository used, each once.
pub async fn used(c: &impl Ask, repository_id: Uuid) -> Result<Vec<String>> {
    let builds = build::Entity::find()
        .select_only()
        .column(build::Column::Id)
        .filter(build::Column::RepositoryId.eq(repository_id))
        .into_query();
    Ok(material::Entity::find()
        .select_only()
        .column(material::Column::Uri)
        .distinct()
        .filter(material::Column::Uri.starts_with("pkg:docker/"))
        .filter(material::Column::BuildId.in_subquery(builds))
        .into_tuple()
        .all(c.connection())
        .await?)
}
