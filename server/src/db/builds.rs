//! Builds and their attempts.

use super::entity::builds::{build, build_attempt};
use super::{Ask, BuildState, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{IntoActiveModel, QueryFilter};
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

pub async fn insert(tx: &Tx, row: rows::Build) -> Result<rows::Build> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

/// Skips the queued builds of a ref that are older than `newer`.
pub async fn supersede(tx: &Tx, repository_id: Uuid, ref_name: &str, newer: Uuid, now: Millis) -> Result<u64> {
    let changed = build::Entity::update_many()
        .col_expr(build::Column::State, Expr::value(BuildState::Skipped.as_str()))
        .col_expr(build::Column::Reason, Expr::value("superseded"))
        .col_expr(build::Column::SupersededBy, Expr::value(newer))
        .col_expr(build::Column::FinishedAt, Expr::value(now))
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::RefName.eq(ref_name))
        .filter(build::Column::State.eq(BuildState::Queued))
        .filter(build::Column::Id.lt(newer))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected)
}
