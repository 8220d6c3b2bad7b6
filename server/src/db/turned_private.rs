//! Repositories that became private because their code did.

use super::entity::sources::turned_private;
use super::{Ask, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

pub async fn find(c: &impl Ask, repository_id: Uuid) -> Result<Option<rows::TurnedPrivate>> {
    let found = turned_private::Entity::find().filter(turned_private::Column::RepositoryId.eq(repository_id));
    Ok(found.one(c.connection()).await?)
}

/// The newest reason stands in the place of an older one.
pub async fn note(tx: &Tx, repository_id: Uuid, source_id: Uuid, at: Millis) -> Result<()> {
    let row = rows::TurnedPrivate { id: Uuid::now_v7(), repository_id, source_id: Some(source_id), at };
    let newer = OnConflict::column(turned_private::Column::RepositoryId)
        .update_columns([turned_private::Column::SourceId, turned_private::Column::At])
        .to_owned();
    let insert = turned_private::Entity::insert(row.into_active_model().reset_all()).on_conflict(newer);
    insert.exec_without_returning(tx.connection()).await?;
    Ok(())
}

/// Somebody has seen it, or has chosen anew.
pub async fn forget(tx: &Tx, repository_id: Uuid) -> Result<()> {
    let gone = turned_private::Entity::delete_many().filter(turned_private::Column::RepositoryId.eq(repository_id));
    gone.exec(tx.connection()).await?;
    Ok(())
}
