//! Personal access tokens. Only hashes are stored.

use super::entity::accounts::token;
use super::{Ask, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Token>> {
    Ok(token::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn find_by_hash(c: &impl Ask, hash: &str) -> Result<Option<rows::Token>> {
    Ok(token::Entity::find().filter(token::Column::Hash.eq(hash)).one(c.connection()).await?)
}

/// A person's tokens, newest first.
pub async fn of_user(c: &impl Ask, user_id: Uuid) -> Result<Vec<rows::Token>> {
    Ok(token::Entity::find()
        .filter(token::Column::UserId.eq(user_id))
        .order_by_desc(token::Column::CreatedAt)
        .all(c.connection())
        .await?)
}

pub async fn insert(tx: &Tx, row: rows::Token) -> Result<rows::Token> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

pub async fn note_use(tx: &Tx, id: Uuid, now: Millis, address: &str) -> Result<()> {
    let row = token::ActiveModel {
        id: Set(id),
        used_at: Set(Some(now)),
        used_address: Set(Some(address.to_owned())),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

pub async fn revoke(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    let row = token::ActiveModel { id: Set(id), revoked_at: Set(Some(now)), ..Default::default() };
    row.update(tx.connection()).await?;
    Ok(())
}
