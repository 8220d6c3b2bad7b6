//! Builds and their attempts.

use super::entity::builds::{build, build_attempt};
use super::{Ask, rows};
use crate::error::Result;
use sea_orm::QueryFilter;
use sea_orm::prelude::*;
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
