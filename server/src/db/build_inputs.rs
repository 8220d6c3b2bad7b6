//! What a build starts from: the source, the rules that fill a repository, and the refs of a source.

use super::entity::sources::{rule, source, source_ref};
use super::{Ask, rows};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::{QueryFilter, QueryOrder};
use uuid::Uuid;

pub async fn source(c: &impl Ask, id: Uuid) -> Result<Option<rows::Source>> {
    Ok(source::Entity::find_by_id(id).one(c.connection()).await?)
}

/// The rules that fill a repository, oldest first.
pub async fn rules_of(c: &impl Ask, repository_id: Uuid) -> Result<Vec<rows::Rule>> {
    Ok(rule::Entity::find()
        .filter(rule::Column::RepositoryId.eq(repository_id))
        .filter(rule::Column::IsEnabled.eq(true))
        .filter(rule::Column::RepositoryId.not_in_subquery(super::sources::being_deleted()))
        .order_by_asc(rule::Column::CreatedAt)
        .all(c.connection())
        .await?)
}

/// A ref that exists at the forge, as we know it.
pub async fn present_ref(c: &impl Ask, source_id: Uuid, name: &str) -> Result<Option<rows::SourceRef>> {
    Ok(source_ref::Entity::find()
        .filter(source_ref::Column::SourceId.eq(source_id))
        .filter(source_ref::Column::Name.eq(name))
        .filter(source_ref::Column::DeletedAt.is_null())
        .one(c.connection())
        .await?)
}

/// Rows that tests of builds start from.
#[cfg(test)]
pub(crate) async fn insert(
    tx: &super::Tx,
    source: rows::Source,
    rule: rows::Rule,
    present: rows::SourceRef,
) -> Result<()> {
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    source.into_active_model().reset_all().insert(tx.connection()).await?;
    rule.into_active_model().reset_all().insert(tx.connection()).await?;
    present.into_active_model().reset_all().insert(tx.connection()).await?;
    Ok(())
}

/// A source that was disconnected.
#[cfg(test)]
pub(crate) async fn forget_source(tx: &super::Tx, id: Uuid) -> Result<()> {
    source::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}
