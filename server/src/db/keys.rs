//! Image-signing keys. A row has a scope and a period, so rotation and revocation are data.
//!
//! ```text
//! signs      while `retired_at` is null; at most one key of a namespace does
//! verifies   until `revoked_at` is set
//! published  the one whose `published_at` is the newest: what `cosign.pub` answers
//! ```

use super::entity::accounts::namespace;
use super::entity::operations::signing_key;
use super::{Ask, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, LockType, OnConflict, Query};
use sea_orm::{Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// The scope of the key that signed for the whole instance, before each namespace had its own.
pub const INSTANCE: &str = "instance";
/// The scope of a namespace's key.
pub const NAMESPACE: &str = "namespace";
/// Keys of one namespace that are looked at. After so many rotations nothing that is kept hangs on older ones.
const MOST: u64 = 50;

/// Adds a namespace's key unless one signs already: two builds may both find none.
pub async fn insert_if_none(tx: &Tx, row: rows::SigningKey) -> Result<bool> {
    let added = signing_key::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(added == 1)
}

/// The key that signs for a namespace. In a transaction that holds it, nobody retires it meanwhile.
pub async fn active(c: &impl Ask, namespace_id: Uuid) -> Result<Option<rows::SigningKey>> {
    Ok(active_query(namespace_id).one(c.connection()).await?)
}

/// As `active`, and whoever retires it waits until this transaction ends.
pub async fn hold_active(tx: &Tx, namespace_id: Uuid) -> Result<Option<rows::SigningKey>> {
    let mut query = active_query(namespace_id);
    if tx.is_postgres() {
        query = query.lock(LockType::Share);
    }
    Ok(query.one(tx.connection()).await?)
}

/// As `active`, for a change of the key: one at a time.
pub async fn lock_active(tx: &Tx, namespace_id: Uuid) -> Result<Option<rows::SigningKey>> {
    let mut query = active_query(namespace_id);
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.one(tx.connection()).await?)
}

fn active_query(namespace_id: Uuid) -> Select<signing_key::Entity> {
    signing_key::Entity::find()
        .filter(signing_key::Column::NamespaceId.eq(namespace_id))
        .filter(signing_key::Column::RetiredAt.is_null())
}

/// The instance's key while something still hangs on it.
pub async fn instance(c: &impl Ask) -> Result<Option<rows::SigningKey>> {
    Ok(instance_query().one(c.connection()).await?)
}

/// As `instance`, for whoever asks what hangs on it: one at a time.
pub async fn lock_instance(tx: &Tx) -> Result<Option<rows::SigningKey>> {
    let mut query = instance_query();
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.one(tx.connection()).await?)
}

fn instance_query() -> Select<signing_key::Entity> {
    signing_key::Entity::find()
        .filter(signing_key::Column::Scope.eq(INSTANCE))
        .filter(signing_key::Column::RetiredAt.is_null())
        .order_by_asc(signing_key::Column::CreatedAt)
        .order_by_asc(signing_key::Column::Id)
}

/// The instance's newest key that is not revoked, retired or not.
pub async fn revocable_instance(c: &impl Ask) -> Result<Option<rows::SigningKey>> {
    Ok(signing_key::Entity::find()
        .filter(signing_key::Column::Scope.eq(INSTANCE))
        .filter(signing_key::Column::RevokedAt.is_null())
        .order_by_desc(signing_key::Column::CreatedAt)
        .one(c.connection())
        .await?)
}

/// The key of its own that a namespace has at `cosign.pub`.
pub async fn published(c: &impl Ask, namespace_id: Uuid) -> Result<Option<rows::SigningKey>> {
    Ok(signing_key::Entity::find()
        .filter(signing_key::Column::NamespaceId.eq(namespace_id))
        .filter(signing_key::Column::PublishedAt.is_not_null())
        .filter(signing_key::Column::RevokedAt.is_null())
        .order_by_desc(signing_key::Column::PublishedAt)
        .order_by_desc(signing_key::Column::Id)
        .one(c.connection())
        .await?)
}

/// Every key that signed for a namespace, its own ones first, the newest first.
pub async fn of_namespace(c: &impl Ask, namespace_id: Uuid) -> Result<Vec<rows::SigningKey>> {
    let own = Condition::any()
        .add(signing_key::Column::NamespaceId.eq(namespace_id))
        .add(signing_key::Column::Scope.eq(INSTANCE));
    Ok(signing_key::Entity::find()
        .filter(own)
        .order_by_desc(signing_key::Column::Scope)
        .order_by_desc(signing_key::Column::CreatedAt)
        .order_by_desc(signing_key::Column::Id)
        .limit(MOST)
        .all(c.connection())
        .await?)
}

/// The keys of the namespace of that name.
pub async fn of_name(c: &impl Ask, name: &str) -> Result<Vec<rows::SigningKey>> {
    let named = Query::select()
        .column(namespace::Column::Id)
        .from(namespace::Entity)
        .and_where(namespace::Column::Name.eq(name))
        .to_owned();
    Ok(signing_key::Entity::find()
        .filter(signing_key::Column::NamespaceId.in_subquery(named))
        .order_by_desc(signing_key::Column::CreatedAt)
        .order_by_desc(signing_key::Column::Id)
        .limit(MOST)
        .all(c.connection())
        .await?)
}

/// The key of that fingerprint, if it is the namespace's or the instance's.
pub async fn find(c: &impl Ask, namespace_id: Uuid, fingerprint: &str) -> Result<Option<rows::SigningKey>> {
    let own = Condition::any()
        .add(signing_key::Column::NamespaceId.eq(namespace_id))
        .add(signing_key::Column::Scope.eq(INSTANCE));
    Ok(signing_key::Entity::find()
        .filter(own)
        .filter(signing_key::Column::Fingerprint.eq(fingerprint))
        .one(c.connection())
        .await?)
}

/// How many keys a namespace got since a time.
pub async fn count_made(c: &impl Ask, namespace_id: Uuid, since: Millis) -> Result<u64> {
    Ok(signing_key::Entity::find()
        .filter(signing_key::Column::NamespaceId.eq(namespace_id))
        .filter(signing_key::Column::CreatedAt.gt(since))
        .count(c.connection())
        .await?)
}

/// How many keys were revoked, of all namespaces: what was verified before is asked again when it grows.
pub async fn count_revoked(c: &impl Ask) -> Result<u64> {
    let revoked = signing_key::Entity::find().filter(signing_key::Column::RevokedAt.is_not_null());
    Ok(revoked.count(c.connection()).await?)
}

/// Keys that ever signed here, the newest first.
pub async fn all(c: &impl Ask) -> Result<Vec<rows::SigningKey>> {
    Ok(signing_key::Entity::find()
        .order_by_desc(signing_key::Column::CreatedAt)
        .limit(1_000)
        .all(c.connection())
        .await?)
}

/// Whether a namespace signs with a key that is not published yet.
pub async fn any_unpublished(c: &impl Ask) -> Result<bool> {
    let found = signing_key::Entity::find()
        .filter(signing_key::Column::RetiredAt.is_null())
        .filter(signing_key::Column::PublishedAt.is_null());
    Ok(found.one(c.connection()).await?.is_some())
}

/// The key signs no longer than it is at `cosign.pub`; what it signed stays verified.
pub async fn retire(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    set(tx, id, signing_key::Column::RetiredAt, now).await
}

/// What the key signed is not verified from now on.
pub async fn revoke(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    set(tx, id, signing_key::Column::RetiredAt, now).await?;
    set(tx, id, signing_key::Column::RevokedAt, now).await
}

/// `cosign.pub` answers with the key from now on.
pub async fn publish(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    set(tx, id, signing_key::Column::PublishedAt, now).await
}

/// Every key that signs is published.
pub async fn publish_all(tx: &Tx, now: Millis) -> Result<()> {
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::PublishedAt, Expr::value(now))
        .filter(signing_key::Column::RetiredAt.is_null())
        .filter(signing_key::Column::PublishedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Only the first time counts.
async fn set(tx: &Tx, id: Uuid, column: signing_key::Column, now: Millis) -> Result<()> {
    signing_key::Entity::update_many()
        .col_expr(column, Expr::value(now))
        .filter(signing_key::Column::Id.eq(id))
        .filter(column.is_null())
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Makes every key one that no master key opens.
#[cfg(test)]
pub(crate) async fn spoil_all(tx: &Tx) {
    let change =
        signing_key::Entity::update_many().col_expr(signing_key::Column::PrivateEncrypted, Expr::value(vec![0_u8; 40]));
    change.exec(tx.connection()).await.unwrap();
}

/// Takes a key from `cosign.pub`.
#[cfg(test)]
pub(crate) async fn unpublish(tx: &Tx, id: Uuid) {
    let change = signing_key::Entity::update_many()
        .col_expr(signing_key::Column::PublishedAt, Expr::value(None::<i64>))
        .filter(signing_key::Column::Id.eq(id));
    change.exec(tx.connection()).await.unwrap();
}

/// Forgets every key.
#[cfg(test)]
pub(crate) async fn forget_all(tx: &Tx) {
    signing_key::Entity::delete_many().exec(tx.connection()).await.unwrap();
}

/// Takes the table of keys away, or brings it back: a database that fails for a while.
#[cfg(test)]
pub(crate) async fn hide(tx: &Tx, is_hidden: bool) -> Result<()> {
    let (from, to) = if is_hidden { ("signing_key", "hidden_key") } else { ("hidden_key", "signing_key") };
    tx.connection().execute_unprepared(&format!("ALTER TABLE {from} RENAME TO {to}")).await?;
    Ok(())
}
