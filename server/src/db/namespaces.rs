//! Namespaces and who has which role in them.

use super::entity::accounts::{namespace, namespace_grant, user};
use super::entity::sources::forge_repository;
use super::{Ask, OnConstraint, Role, Tx, rows};
use crate::clock::Millis;
use crate::error::{Error, Result};
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict, Query, SelectStatement};
use sea_orm::{ActiveModelTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Namespace>> {
    Ok(namespace::Entity::find_by_id(id).one(c.connection()).await?)
}

pub async fn find_by_name(c: &impl Ask, name: &str) -> Result<Option<rows::Namespace>> {
    Ok(namespace::Entity::find().filter(namespace::Column::Name.eq(name)).one(c.connection()).await?)
}

/// The namespace that is bound to an account of a forge.
pub async fn find_by_account(c: &impl Ask, forge_url: &str, account_id: &str) -> Result<Option<rows::Namespace>> {
    Ok(namespace::Entity::find()
        .filter(namespace::Column::ForgeUrl.eq(forge_url))
        .filter(namespace::Column::ForgeAccountId.eq(account_id))
        .one(c.connection())
        .await?)
}

/// What the forge last called an account, as listings of repositories told it.
pub async fn owner_login(c: &impl Ask, account_id: &str) -> Result<Option<String>> {
    let row = forge_repository::Entity::find()
        .filter(forge_repository::Column::OwnerId.eq(account_id))
        .order_by_desc(forge_repository::Column::ListedAt)
        .one(c.connection())
        .await?;
    Ok(row.map(|r| r.owner_login))
}

pub async fn insert(tx: &Tx, row: rows::Namespace) -> Result<rows::Namespace> {
    let name = row.name.clone();
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("namespace_name", || Error::Conflict(format!("the name `{name}` is taken")))
}

/// A second grant is as one: two clicks at once may both find none. One that is suspended holds again.
pub async fn insert_grant(tx: &Tx, row: rows::Grant) -> Result<()> {
    let pair = [namespace_grant::Column::NamespaceId, namespace_grant::Column::UserId];
    namespace_grant::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::columns(pair).update_column(namespace_grant::Column::SuspendedAt).to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

impl rows::Grant {
    /// A role that somebody gave, or that a person has in the own namespace: no organisation is behind it.
    pub fn given(namespace_id: Uuid, user_id: Uuid, role: Role, now: Millis) -> Self {
        let id = Uuid::now_v7();
        Self { id, namespace_id, user_id, role, created_at: now, via_account_id: None, suspended_at: None }
    }
}

/// All roles of a person, suspended ones too.
pub async fn grants_of(c: &impl Ask, user_id: Uuid) -> Result<Vec<rows::Grant>> {
    Ok(namespace_grant::Entity::find().filter(namespace_grant::Column::UserId.eq(user_id)).all(c.connection()).await?)
}

/// All roles in a namespace, suspended ones too.
pub async fn grants_in(c: &impl Ask, namespace_id: Uuid) -> Result<Vec<rows::Grant>> {
    let found = namespace_grant::Entity::find().filter(namespace_grant::Column::NamespaceId.eq(namespace_id));
    Ok(found.all(c.connection()).await?)
}

/// In which namespaces a few people have how many roles, suspended ones too.
pub async fn count_grants_of(c: &impl Ask, users: &[Uuid]) -> Result<Vec<(Uuid, u64)>> {
    let found = namespace_grant::Entity::find()
        .select_only()
        .column(namespace_grant::Column::NamespaceId)
        .column_as(namespace_grant::Column::Id.count(), "people")
        .filter(namespace_grant::Column::UserId.is_in(users.iter().copied()))
        .group_by(namespace_grant::Column::NamespaceId);
    let found: Vec<(Uuid, i64)> = found.into_tuple().all(c.connection()).await?;
    Ok(found.into_iter().map(|(id, people)| (id, u64::try_from(people).unwrap_or_default())).collect())
}

/// How many people have a role in a namespace, suspended ones too.
pub async fn count_grants_in(c: &impl Ask, namespace_id: Uuid) -> Result<u64> {
    let found = namespace_grant::Entity::find().filter(namespace_grant::Column::NamespaceId.eq(namespace_id));
    Ok(found.count(c.connection()).await?)
}

pub async fn suspend_grant(tx: &Tx, id: Uuid, at: Option<Millis>) -> Result<()> {
    let change = namespace_grant::Entity::update_many().col_expr(namespace_grant::Column::SuspendedAt, Expr::value(at));
    change.filter(namespace_grant::Column::Id.eq(id)).exec(tx.connection()).await?;
    Ok(())
}

pub async fn role_of(c: &impl Ask, namespace_id: Uuid, user_id: Uuid) -> Result<Option<Role>> {
    Ok(namespace_grant::Entity::find()
        .filter(namespace_grant::Column::NamespaceId.eq(namespace_id))
        .filter(namespace_grant::Column::UserId.eq(user_id))
        .filter(namespace_grant::Column::SuspendedAt.is_null())
        .one(c.connection())
        .await?
        .map(|grant| grant.role))
}

/// Gives a person a role in the place of the one that it has, or takes it away.
pub async fn set_role(tx: &Tx, namespace_id: Uuid, user_id: Uuid, role: Option<Role>, now: Millis) -> Result<()> {
    namespace_grant::Entity::delete_many()
        .filter(namespace_grant::Column::NamespaceId.eq(namespace_id))
        .filter(namespace_grant::Column::UserId.eq(user_id))
        .exec(tx.connection())
        .await?;
    match role {
        Some(role) => insert_grant(tx, rows::Grant::given(namespace_id, user_id, role, now)).await,
        None => Ok(()),
    }
}

/// Names of people who may change things in a namespace, those that have been there longest first.
pub async fn managers(c: &impl Ask, namespace_id: Uuid, limit: u64) -> Result<Vec<String>> {
    let grants = namespace_grant::Entity::find()
        .filter(namespace_grant::Column::NamespaceId.eq(namespace_id))
        .filter(namespace_grant::Column::Role.is_in([Role::Manager, Role::Admin]))
        .filter(namespace_grant::Column::SuspendedAt.is_null())
        .order_by_asc(namespace_grant::Column::CreatedAt)
        .limit(limit)
        .all(c.connection())
        .await?;
    Ok(user::Entity::find()
        .select_only()
        .column(user::Column::Name)
        .filter(user::Column::Id.is_in(grants.iter().map(|g| g.user_id)))
        .filter(user::Column::DisabledAt.is_null())
        .order_by_asc(user::Column::Name)
        .into_tuple()
        .all(c.connection())
        .await?)
}

pub async fn has_admin(c: &impl Ask, namespace_id: Uuid) -> Result<bool> {
    let admins = namespace_grant::Entity::find()
        .filter(namespace_grant::Column::NamespaceId.eq(namespace_id))
        .filter(namespace_grant::Column::SuspendedAt.is_null())
        .filter(namespace_grant::Column::Role.eq(Role::Admin));
    Ok(admins.one(c.connection()).await?.is_some())
}

pub async fn administers_any(c: &impl Ask, user_id: Uuid) -> Result<bool> {
    let grants = namespace_grant::Entity::find()
        .filter(namespace_grant::Column::UserId.eq(user_id))
        .filter(namespace_grant::Column::SuspendedAt.is_null())
        .filter(namespace_grant::Column::Role.eq(Role::Admin));
    Ok(grants.one(c.connection()).await?.is_some())
}

/// Ids of the namespaces in which a person has a role, for a question about what is in them.
pub(super) fn with_role(user_id: Uuid) -> SelectStatement {
    Query::select()
        .column(namespace_grant::Column::NamespaceId)
        .from(namespace_grant::Entity)
        .and_where(namespace_grant::Column::UserId.eq(user_id))
        .and_where(namespace_grant::Column::SuspendedAt.is_null())
        .to_owned()
}

/// A few namespaces by their ids.
pub async fn find_all(c: &impl Ask, ids: impl IntoIterator<Item = Uuid>) -> Result<Vec<rows::Namespace>> {
    Ok(namespace::Entity::find().filter(namespace::Column::Id.is_in(ids)).all(c.connection()).await?)
}

/// Namespaces in which a person has a role, by name.
pub async fn of_user(c: &impl Ask, user_id: Uuid) -> Result<Vec<(rows::Namespace, Role)>> {
    let grants = grants_of(c, user_id).await?.into_iter().filter(|g| g.suspended_at.is_none()).collect::<Vec<_>>();
    let namespaces = namespace::Entity::find()
        .filter(namespace::Column::Id.is_in(grants.iter().map(|g| g.namespace_id)))
        .order_by_asc(namespace::Column::Name)
        .all(c.connection())
        .await?;
    let role = |id: Uuid| grants.iter().find(|g| g.namespace_id == id).map(|g| g.role);
    Ok(namespaces.into_iter().filter_map(|n| role(n.id).map(|r| (n, r))).collect())
}
