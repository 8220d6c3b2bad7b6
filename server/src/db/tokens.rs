//! Personal access tokens. Only hashes are stored.

use super::entity::accounts::token;
use super::{Ask, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
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

/// One page of a person's tokens that are not revoked and did not end before `ended_after`, newest first, and how many
/// there are.
pub async fn page(
    c: &impl Ask,
    user_id: Uuid,
    ended_after: Millis,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::Token>, u64)> {
    let found = working(user_id, ended_after);
    let total = found.clone().count(c.connection()).await?;
    let newest = found.order_by_desc(token::Column::CreatedAt).order_by_desc(token::Column::Id);
    Ok((newest.offset(offset).limit(limit).all(c.connection()).await?, total))
}

/// How many tokens of a person work at `now`.
pub async fn count_working(c: &impl Ask, user_id: Uuid, now: Millis) -> Result<u64> {
    Ok(working(user_id, now).count(c.connection()).await?)
}

fn working(user_id: Uuid, at: Millis) -> sea_orm::Select<token::Entity> {
    let lasts = Condition::any().add(token::Column::ExpiresAt.is_null()).add(token::Column::ExpiresAt.gt(at));
    let own = token::Entity::find().filter(token::Column::UserId.eq(user_id));
    own.filter(token::Column::RevokedAt.is_null()).filter(lasts)
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
