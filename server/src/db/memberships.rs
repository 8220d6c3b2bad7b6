//! Which organisation somebody's rights rest on, and what the forge last said of it.

use super::entity::accounts::membership;
use super::{Ask, MembershipState, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use membership::Column;

pub async fn find(
    c: &impl Ask,
    user_id: Uuid,
    forge_url: &str,
    organization_id: &str,
) -> Result<Option<rows::Membership>> {
    let found = membership::Entity::find().filter(Column::UserId.eq(user_id));
    Ok(found.filter(is_of(forge_url, organization_id)).one(c.connection()).await?)
}

/// The row, held until the transaction ends: a sign-in and a daily look may end at once.
pub async fn lock(tx: &Tx, user_id: Uuid, forge_url: &str, organization_id: &str) -> Result<Option<rows::Membership>> {
    let mut query = membership::Entity::find().filter(Column::UserId.eq(user_id));
    if tx.is_postgres() {
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.filter(is_of(forge_url, organization_id)).one(tx.connection()).await?)
}

fn is_of(forge_url: &str, organization_id: &str) -> Condition {
    Condition::all().add(Column::ForgeUrl.eq(forge_url)).add(Column::OrganizationId.eq(organization_id))
}

pub async fn of_user(c: &impl Ask, user_id: Uuid) -> Result<Vec<rows::Membership>> {
    let found = membership::Entity::find().filter(Column::UserId.eq(user_id)).order_by_asc(Column::Id);
    Ok(found.all(c.connection()).await?)
}

/// Everybody whose rights rest on an organisation, those asked about longest ago first.
pub async fn of_organization(c: &impl Ask, forge_url: &str, organization_id: &str) -> Result<Vec<rows::Membership>> {
    Ok(membership::Entity::find()
        .filter(is_of(forge_url, organization_id))
        .filter(Column::State.ne(MembershipState::Left))
        .order_by_asc(Column::AskedAt)
        .order_by_asc(Column::Id)
        .all(c.connection())
        .await?)
}

/// Organisations with somebody who was last asked about before `before`: forge and id.
pub async fn due(c: &impl Ask, before: Millis, limit: u64) -> Result<Vec<(String, String)>> {
    Ok(membership::Entity::find()
        .select_only()
        .column(Column::ForgeUrl)
        .column(Column::OrganizationId)
        .distinct()
        .filter(Column::State.ne(MembershipState::Left))
        .filter(Condition::any().add(Column::AskedAt.is_null()).add(Column::AskedAt.lte(before)))
        .order_by_asc(Column::OrganizationId)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// The next look asks about this one.
pub async fn make_due(tx: &Tx, id: Uuid) -> Result<()> {
    membership::Entity::update_many()
        .col_expr(Column::AskedAt, Expr::value(None::<Millis>))
        .filter(Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Whether anybody's rights rest on an organisation.
pub async fn any(c: &impl Ask) -> Result<bool> {
    Ok(membership::Entity::find().one(c.connection()).await?.is_some())
}

/// Those who wait for an admin, and those whose rights ended since; newest first.
pub async fn noteworthy(c: &impl Ask, since: Millis, limit: u64) -> Result<Vec<rows::Membership>> {
    let ended = Condition::all().add(Column::Ended.is_not_null()).add(Column::ChangedAt.gt(since));
    Ok(membership::Entity::find()
        .filter(Condition::any().add(Column::State.eq(MembershipState::Held)).add(ended))
        .order_by_desc(Column::ChangedAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// Memberships of a few people at one forge.
pub async fn of_users(c: &impl Ask, forge_url: &str, users: &[Uuid]) -> Result<Vec<rows::Membership>> {
    let found = membership::Entity::find().filter(Column::UserId.is_in(users.iter().copied()));
    Ok(found.filter(Column::ForgeUrl.eq(forge_url)).all(c.connection()).await?)
}

/// The forge said just now that somebody is in an organisation.
pub async fn confirm(
    tx: &Tx,
    user_id: Uuid,
    forge_url: &str,
    (organization_id, login): (&str, &str),
    now: Millis,
) -> Result<()> {
    if let Some(known) = lock(tx, user_id, forge_url, organization_id).await? {
        return put(tx, rows::Membership { organization_login: login.to_owned(), ..known.confirmed(now) }).await;
    }
    let row = rows::Membership {
        id: Uuid::now_v7(),
        user_id,
        forge_url: forge_url.to_owned(),
        organization_id: organization_id.to_owned(),
        organization_login: login.to_owned(),
        state: MembershipState::Member,
        is_member: true,
        asked_at: Some(now),
        answered_at: Some(now),
        unanswered_since: None,
        detail: None,
        ended: None,
        changed_at: now,
    };
    // Two sign-ins at once say the same.
    let again = OnConflict::columns([Column::UserId, Column::ForgeUrl, Column::OrganizationId]).do_nothing().to_owned();
    let insert = membership::Entity::insert(row.into_active_model().reset_all()).on_conflict(again);
    insert.exec_without_returning(tx.connection()).await?;
    Ok(())
}

pub async fn put(tx: &Tx, row: rows::Membership) -> Result<()> {
    row.into_active_model().reset_all().update(tx.connection()).await?;
    Ok(())
}

impl rows::Membership {
    /// As it is after a "yes". What ended before stays to be read, unless the person had left.
    #[must_use]
    pub fn confirmed(self, now: Millis) -> Self {
        let was_member = self.state == MembershipState::Member;
        Self {
            state: MembershipState::Member,
            is_member: true,
            asked_at: Some(now),
            answered_at: Some(now),
            unanswered_since: None,
            detail: None,
            ended: self.ended.filter(|_| was_member),
            changed_at: if was_member { self.changed_at } else { now },
            ..self
        }
    }
}
