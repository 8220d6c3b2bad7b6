//! People, their identities at forges, and how we act there for them.

use super::entity::accounts::{connection, identity, invite, user};
use super::{Admission, Ask, ConnectionState, OnConstraint, Suspension, Tx, rows};
use crate::clock::Millis;
use crate::error::{Error, Result};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

impl rows::User {
    /// Neither disabled by the operator, nor suspended until the next sign-in.
    pub fn may_act(&self) -> bool {
        self.disabled_at.is_none() && self.suspended_at.is_none()
    }
}

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::User>> {
    Ok(user::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn find_by_name(c: &impl Ask, name: &str) -> Result<Option<rows::User>> {
    Ok(user::Entity::find().filter(user::Column::Name.eq(name)).one(c.connection()).await?)
}

/// By who the person is at a forge: its URL and the account's numeric id.
pub async fn find_identity(c: &impl Ask, forge_url: &str, remote_id: &str) -> Result<Option<rows::Identity>> {
    Ok(identity::Entity::find()
        .filter(identity::Column::ForgeUrl.eq(forge_url))
        .filter(identity::Column::RemoteId.eq(remote_id))
        .one(c.connection())
        .await?)
}

pub async fn identities_of(c: &impl Ask, user_id: Uuid) -> Result<Vec<rows::Identity>> {
    Ok(identity::Entity::find().filter(identity::Column::UserId.eq(user_id)).all(c.connection()).await?)
}

pub async fn insert(tx: &Tx, row: rows::User) -> Result<rows::User> {
    let name = row.name.clone();
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("user_name", || Error::Conflict(format!("a person `{name}` exists already")))
}

pub async fn insert_identity(tx: &Tx, row: rows::Identity) -> Result<rows::Identity> {
    let login = row.login.clone();
    row.into_active_model().reset_all().insert(tx.connection()).await.on_unique("identity_forge_url_remote_id", || {
        Error::Conflict(format!("the account `{login}` is known already"))
    })
}

/// Forges let people rename themselves; the id stays.
pub async fn set_login(tx: &Tx, identity_id: Uuid, login: &str, now: Millis) -> Result<()> {
    let row = identity::ActiveModel {
        id: Set(identity_id),
        login: Set(login.to_owned()),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// A disabled person can neither sign in nor use a session or token.
pub async fn set_disabled(tx: &Tx, user_id: Uuid, disabled_at: Option<Millis>) -> Result<()> {
    let row = user::ActiveModel { id: Set(user_id), disabled_at: Set(disabled_at), ..Default::default() };
    row.update(tx.connection()).await?;
    Ok(())
}

/// A suspended person can use no session and no token until the next sign-in.
pub async fn set_suspended(tx: &Tx, user_id: Uuid, to: Option<(Millis, Suspension)>) -> Result<()> {
    let row = user::ActiveModel {
        id: Set(user_id),
        suspended_at: Set(to.map(|(at, _)| at)),
        suspended_because: Set(to.map(|(_, because)| because)),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// Why and when a person was let in last; without a reason it is only known since when nobody knows.
pub async fn set_admitted(tx: &Tx, user_id: Uuid, by: Option<Admission>, at: Millis) -> Result<()> {
    let row =
        user::ActiveModel { id: Set(user_id), admitted_by: Set(by), admitted_at: Set(Some(at)), ..Default::default() };
    row.update(tx.connection()).await?;
    Ok(())
}

/// Accounts at this forge, by number from `after` on.
pub async fn identities_after(c: &impl Ask, forge_url: &str, after: &str, limit: u64) -> Result<Vec<rows::Identity>> {
    Ok(accounts_after(forge_url, after, limit).all(c.connection()).await?)
}

/// As `identities_after`, of people who came before the reason was written down, and are not suspended.
pub async fn unknown_identities_after(
    c: &impl Ask,
    forge_url: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<rows::Identity>> {
    let unknown = Query::select()
        .column(user::Column::Id)
        .from(user::Entity)
        .and_where(user::Column::AdmittedBy.is_null())
        .and_where(user::Column::SuspendedAt.is_null())
        .to_owned();
    let found = accounts_after(forge_url, after, limit).filter(identity::Column::UserId.in_subquery(unknown));
    Ok(found.all(c.connection()).await?)
}

fn accounts_after(forge_url: &str, after: &str, limit: u64) -> Select<identity::Entity> {
    identity::Entity::find()
        .filter(identity::Column::ForgeUrl.eq(forge_url))
        .filter(identity::Column::RemoteId.gt(after))
        .order_by_asc(identity::Column::RemoteId)
        .limit(limit)
}

/// A few people by their ids.
pub async fn find_all(c: &impl Ask, ids: &[Uuid]) -> Result<Vec<rows::User>> {
    Ok(user::Entity::find().filter(user::Column::Id.is_in(ids.iter().copied())).all(c.connection()).await?)
}

/// Links that a few people came with.
pub async fn invites_used_by_any(c: &impl Ask, ids: &[Uuid]) -> Result<Vec<rows::Invite>> {
    Ok(invite::Entity::find().filter(invite::Column::UsedBy.is_in(ids.iter().copied())).all(c.connection()).await?)
}

pub async fn set_site_admin(tx: &Tx, user_id: Uuid, is_site_admin: bool) -> Result<()> {
    let row = user::ActiveModel { id: Set(user_id), is_site_admin: Set(is_site_admin), ..Default::default() };
    row.update(tx.connection()).await?;
    Ok(())
}

pub async fn find_connection(c: &impl Ask, id: Uuid) -> Result<Option<rows::Connection>> {
    Ok(connection::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn connection_of_identity(c: &impl Ask, identity_id: Uuid) -> Result<Option<rows::Connection>> {
    Ok(connection::Entity::find().filter(connection::Column::IdentityId.eq(identity_id)).one(c.connection()).await?)
}

pub async fn find_identity_by_id(c: &impl Ask, id: Uuid) -> Result<Option<rows::Identity>> {
    Ok(identity::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn insert_connection(tx: &Tx, row: rows::Connection) -> Result<rows::Connection> {
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("connection_identity_id", || Error::Conflict("this account is connected already".into()))
}

/// The newest forge token replaces the stored one.
pub async fn replace_connection_token(tx: &Tx, id: Uuid, scopes: &str, sealed: Vec<u8>, now: Millis) -> Result<()> {
    let row = connection::ActiveModel {
        id: Set(id),
        scopes: Set(scopes.to_owned()),
        token_encrypted: Set(sealed),
        state: Set(ConnectionState::Active),
        state_detail: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

pub async fn set_connection_state(
    tx: &Tx,
    id: Uuid,
    state: ConnectionState,
    detail: Option<String>,
    now: Millis,
) -> Result<()> {
    let row = connection::ActiveModel {
        id: Set(id),
        state: Set(state),
        state_detail: Set(detail),
        updated_at: Set(now),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// When and how the last listing of the connection's repositories ended.
pub async fn set_listing(tx: &Tx, id: Uuid, listed_at: Option<Millis>, error: Option<String>) -> Result<()> {
    let mut row = connection::ActiveModel { id: Set(id), listing_error: Set(error), ..Default::default() };
    if listed_at.is_some() {
        row.listed_at = Set(listed_at);
    }
    row.update(tx.connection()).await?;
    Ok(())
}

pub async fn insert_invite(tx: &Tx, row: rows::Invite) -> Result<()> {
    row.into_active_model().reset_all().insert(tx.connection()).await?;
    Ok(())
}

/// Uses up a one-time link; false when it is unknown, old or used.
pub async fn use_invite(tx: &Tx, hash: &str, user_id: Uuid, now: Millis) -> Result<bool> {
    let used = invite::Entity::update_many()
        .col_expr(invite::Column::UsedAt, Expr::value(now))
        .col_expr(invite::Column::UsedBy, Expr::value(user_id))
        .filter(invite::Column::Hash.eq(hash))
        .filter(invite::Column::UsedAt.is_null())
        .filter(invite::Column::ExpiresAt.gt(now))
        .exec(tx.connection())
        .await?;
    Ok(used.rows_affected == 1)
}

pub async fn invites_used_by(c: &impl Ask, user_id: Uuid) -> Result<Vec<rows::Invite>> {
    Ok(invite::Entity::find().filter(invite::Column::UsedBy.eq(user_id)).all(c.connection()).await?)
}

pub async fn find_open_invite(c: &impl Ask, hash: &str, now: Millis) -> Result<Option<rows::Invite>> {
    Ok(invite::Entity::find()
        .filter(invite::Column::Hash.eq(hash))
        .filter(invite::Column::UsedAt.is_null())
        .filter(invite::Column::ExpiresAt.gt(now))
        .one(c.connection())
        .await?)
}

/// Whether anybody has ever signed in, or is made a site admin. People made for programs say nothing about that.
pub async fn anybody_came(c: &impl Ask) -> Result<bool> {
    if identity::Entity::find().one(c.connection()).await?.is_some() {
        return Ok(true);
    }
    let admin = user::Entity::find().filter(user::Column::IsSiteAdmin.eq(true));
    Ok(admin.one(c.connection()).await?.is_some())
}

/// For tests: as rows are that are older than the reason.
#[cfg(test)]
pub(crate) async fn forget_admission(db: &super::Db, user_id: Uuid) {
    let tx = db.begin().await.unwrap();
    let row =
        user::ActiveModel { id: Set(user_id), admitted_by: Set(None), admitted_at: Set(None), ..Default::default() };
    row.update(tx.connection()).await.unwrap();
    tx.commit().await.unwrap();
}
