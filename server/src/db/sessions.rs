//! Sessions of browsers, and OAuth round trips in flight.

use super::entity::accounts::{session, sign_in};
use super::{Ask, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// A session that has not ended, and that began after `oldest`.
pub async fn find_by_hash(c: &impl Ask, hash: &str, now: Millis, oldest: Millis) -> Result<Option<rows::Session>> {
    Ok(session::Entity::find()
        .filter(session::Column::Hash.eq(hash))
        .filter(session::Column::ExpiresAt.gt(now))
        .filter(session::Column::CreatedAt.gt(oldest))
        .one(c.connection())
        .await?)
}

pub async fn insert(tx: &Tx, row: rows::Session) -> Result<()> {
    row.into_active_model().reset_all().insert(tx.connection()).await?;
    Ok(())
}

/// A session that went meanwhile stays gone.
pub async fn note_use(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    let seen = session::Entity::update_many().col_expr(session::Column::SeenAt, Expr::value(now));
    seen.filter(session::Column::Id.eq(id)).exec(tx.connection()).await?;
    Ok(())
}

/// A person's sessions.
pub async fn of_user(c: &impl Ask, user_id: Uuid) -> Result<Vec<rows::Session>> {
    Ok(session::Entity::find().filter(session::Column::UserId.eq(user_id)).all(c.connection()).await?)
}

/// Ends the oldest sessions of a person, but for the newest `most`.
pub async fn keep_newest(tx: &Tx, user_id: Uuid, most: u64) -> Result<()> {
    let own = session::Entity::find().filter(session::Column::UserId.eq(user_id));
    let newest = own.order_by_desc(session::Column::CreatedAt).order_by_desc(session::Column::Id);
    let surplus = newest.select_only().column(session::Column::Id).offset(most).limit(500);
    let surplus: Vec<Uuid> = surplus.into_tuple().all(tx.connection()).await?;
    session::Entity::delete_many().filter(session::Column::Id.is_in(surplus)).exec(tx.connection()).await?;
    Ok(())
}

/// Signs a person out everywhere.
pub async fn delete_of_user(tx: &Tx, user_id: Uuid) -> Result<()> {
    session::Entity::delete_many().filter(session::Column::UserId.eq(user_id)).exec(tx.connection()).await?;
    Ok(())
}

pub async fn delete_by_hash(tx: &Tx, hash: &str) -> Result<()> {
    session::Entity::delete_many().filter(session::Column::Hash.eq(hash)).exec(tx.connection()).await?;
    Ok(())
}

pub async fn insert_sign_in(tx: &Tx, row: rows::SignIn) -> Result<()> {
    row.into_active_model().reset_all().insert(tx.connection()).await?;
    Ok(())
}

/// Takes a sign-in by its state, once: the second caller gets `None`.
pub async fn take_sign_in(tx: &Tx, state_hash: &str, now: Millis) -> Result<Option<rows::SignIn>> {
    let taken = sign_in::Entity::update_many()
        .col_expr(sign_in::Column::UsedAt, Expr::value(now))
        .filter(sign_in::Column::StateHash.eq(state_hash))
        .filter(sign_in::Column::UsedAt.is_null())
        .exec(tx.connection())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    Ok(sign_in::Entity::find().filter(sign_in::Column::StateHash.eq(state_hash)).one(tx.connection()).await?)
}

/// The one-time link that a browser came with at an earlier try.
pub async fn invite_of_browser(c: &impl Ask, browser_hash: &str, now: Millis) -> Result<Option<String>> {
    let row = sign_in::Entity::find()
        .filter(sign_in::Column::BrowserHash.eq(browser_hash))
        .filter(sign_in::Column::ExpiresAt.gt(now))
        .one(c.connection())
        .await?;
    Ok(row.and_then(|r| r.invite_hash))
}

/// Some sessions that have ended.
pub async fn ended(c: &impl Ask, now: Millis, limit: u64) -> Result<Vec<Uuid>> {
    let ended = session::Entity::find().select_only().column(session::Column::Id);
    let ended = ended.filter(session::Column::ExpiresAt.lt(now)).limit(limit);
    Ok(ended.into_tuple().all(c.connection()).await?)
}

/// Some round trips whose time was over before `before`.
pub async fn ended_sign_ins(c: &impl Ask, before: Millis, limit: u64) -> Result<Vec<Uuid>> {
    let ended = sign_in::Entity::find().select_only().column(sign_in::Column::Id);
    let ended = ended.filter(sign_in::Column::ExpiresAt.lt(before)).limit(limit);
    Ok(ended.into_tuple().all(c.connection()).await?)
}

/// Forgets these sessions and round trips.
pub async fn forget(tx: &Tx, sessions: &[Uuid], sign_ins: &[Uuid]) -> Result<()> {
    let gone = session::Entity::delete_many().filter(session::Column::Id.is_in(sessions.iter().copied()));
    gone.exec(tx.connection()).await?;
    let gone = sign_in::Entity::delete_many().filter(sign_in::Column::Id.is_in(sign_ins.iter().copied()));
    gone.exec(tx.connection()).await?;
    Ok(())
}

/// For tests: all round trips began too long ago.
#[cfg(test)]
pub async fn make_sign_ins_late(db: &super::Db) {
    let tx = db.begin().await.unwrap();
    let late = sign_in::Entity::update_many().col_expr(sign_in::Column::ExpiresAt, Expr::value(1_i64));
    late.exec(tx.connection()).await.unwrap();
    tx.commit().await.unwrap();
}
