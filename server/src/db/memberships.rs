//! Which organisation somebody's rights rest on, and what the forge last said of it.

use super::entity::accounts::membership;
use super::{Ask, MembershipState, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, Condition, FromQueryResult, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::{BTreeMap, BTreeSet};
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

/// An organisation with people who wait for an admin, or whose rights ended lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    pub forge_url: String,
    pub organization_id: String,
    pub held: u64,
    pub ended: u64,
}

/// Of all organisations, or of some at one forge: how many people wait, and of how many rights ended since. Those with
/// somebody who waits come first.
pub async fn leaving(c: &impl Ask, of: Option<(&str, Vec<String>)>, since: Millis) -> Result<Vec<Leaving>> {
    let mut found: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for (what, is_held) in [(is_held(), true), (has_ended(since), false)] {
        let mut query = membership::Entity::find()
            .select_only()
            .column(Column::ForgeUrl)
            .column(Column::OrganizationId)
            .column_as(Column::Id.count(), "people")
            .filter(what)
            .group_by(Column::ForgeUrl)
            .group_by(Column::OrganizationId);
        if let Some((forge_url, organizations)) = &of {
            query = query.filter(Column::ForgeUrl.eq(*forge_url));
            query = query.filter(Column::OrganizationId.is_in(organizations.iter().cloned()));
        }
        for (forge_url, id, people) in query.into_tuple::<(String, String, i64)>().all(c.connection()).await? {
            let (held, ended) = found.entry((forge_url, id)).or_default();
            *(if is_held { held } else { ended }) = u64::try_from(people).unwrap_or_default();
        }
    }
    let leaving = |((forge_url, organization_id), (held, ended))| Leaving { forge_url, organization_id, held, ended };
    let mut found: Vec<_> = found.into_iter().map(leaving).collect();
    found.sort_by_key(|leaving| leaving.held == 0);
    Ok(found)
}

fn is_held() -> Condition {
    Condition::all().add(Column::State.eq(MembershipState::Held))
}

fn has_ended(since: Millis) -> Condition {
    // Both states in place of "not held": so the index is of use.
    Condition::all()
        .add(Column::State.is_in([MembershipState::Member, MembershipState::Left]))
        .add(Column::ChangedAt.gt(since))
        .add(Column::Ended.is_not_null())
}

/// An organisation, and what it was called when somebody was last answered about.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Organization {
    pub forge_url: String,
    #[sea_orm(from_alias = "organization_id")]
    pub id: String,
    #[sea_orm(from_alias = "organization_login")]
    pub login: String,
}

/// Organisations with people who wait for an admin, once for each of their names.
pub async fn organizations_that_wait(c: &impl Ask) -> Result<Vec<Organization>> {
    let found = membership::Entity::find().select_only().distinct().filter(is_held());
    let columns = [Column::ForgeUrl, Column::OrganizationId, Column::OrganizationLogin];
    let found = found.columns(columns).order_by_asc(Column::ForgeUrl).order_by_asc(Column::OrganizationId);
    Ok(found.into_model().all(c.connection()).await?)
}

/// Those who wait for an admin, longest first; with `until`, no further than that row.
pub async fn held(
    c: &impl Ask,
    (forge_url, organization_id): (&str, &str),
    until: Option<&rows::Membership>,
    limit: u64,
) -> Result<Vec<rows::Membership>> {
    let mut query = membership::Entity::find().filter(is_of(forge_url, organization_id)).filter(is_held());
    if let Some(last) = until {
        let same = Condition::all().add(Column::ChangedAt.eq(last.changed_at)).add(Column::Id.lte(last.id));
        query = query.filter(Condition::any().add(Column::ChangedAt.lt(last.changed_at)).add(same));
    }
    let query = query.order_by_asc(Column::ChangedAt).order_by_asc(Column::Id).limit(limit);
    Ok(query.all(c.connection()).await?)
}

pub async fn count_held(c: &impl Ask, forge_url: &str, organization_id: &str) -> Result<u64> {
    let found = membership::Entity::find().filter(is_of(forge_url, organization_id)).filter(is_held());
    Ok(found.count(c.connection()).await?)
}

/// People who wait since a time.
pub async fn held_since(
    c: &impl Ask,
    (forge_url, organization_id): (&str, &str),
    since: Millis,
) -> Result<BTreeSet<Uuid>> {
    let found = membership::Entity::find().select_only().column(Column::UserId).filter(is_held());
    let found = found.filter(is_of(forge_url, organization_id)).filter(Column::ChangedAt.gt(since));
    Ok(found.into_tuple::<Uuid>().all(c.connection()).await?.into_iter().collect())
}

/// Those whose rights ended since, newest first.
pub async fn ended(
    c: &impl Ask,
    (forge_url, organization_id): (&str, &str),
    since: Millis,
    limit: u64,
) -> Result<Vec<rows::Membership>> {
    Ok(membership::Entity::find()
        .filter(is_of(forge_url, organization_id))
        .filter(has_ended(since))
        .order_by_desc(Column::ChangedAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// Those whose rights ended since, by id from the one after `after` on.
pub async fn ended_after(
    c: &impl Ask,
    (forge_url, organization_id): (&str, &str),
    since: Millis,
    after: Uuid,
    limit: u64,
) -> Result<Vec<rows::Membership>> {
    Ok(membership::Entity::find()
        .filter(is_of(forge_url, organization_id))
        .filter(has_ended(since))
        .filter(Column::Id.gt(after))
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}

pub async fn find_by_id(c: &impl Ask, id: Uuid) -> Result<Option<rows::Membership>> {
    Ok(membership::Entity::find_by_id(id).one(c.connection()).await?)
}

/// How many people have rights that rest on an organisation.
pub async fn count(c: &impl Ask, forge_url: &str, organization_id: &str) -> Result<u64> {
    let found = membership::Entity::find().filter(is_of(forge_url, organization_id));
    Ok(found.filter(Column::State.ne(MembershipState::Left)).count(c.connection()).await?)
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
