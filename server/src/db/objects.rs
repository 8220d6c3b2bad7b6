//! Objects: every key of storage is a row before its first byte, and the row goes after the bytes.
//!
//! ```text
//! unowned ◄─ a row names it, or lets go of it ─► owned
//!    └── its time is over ──► removing ── the bytes are gone ──► no row
//! ```
//! The rows that name keys (uploads, blobs, sealed logs) are written by the modules beside this one, each in one
//! transaction with its object.

use super::entity::builds::sealed_log;
use super::entity::registry::{blob, object, upload};
use super::{Ask, Db, ObjectKind, ObjectState, OwnerKind, Tx, rows};
use crate::clock::{DAY, Millis};
use crate::error::{Error, Result};
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, Query};
use sea_orm::{ActiveModelTrait, Condition, DeriveValueType, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// What nobody came to name may go after this long: its writer is gone. A log of the greatest size is sealed in minutes.
const ABANDONED_AFTER: Millis = DAY;

/// Where an object lies. Only rows hold keys, and only this module makes one: storage takes nothing else, so there is
/// no way to write bytes that no row knows of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// `blobs/0a/0a3f…`.
    fn new(kind: ObjectKind) -> Self {
        // v4: the first byte spreads over the folders.
        let id = Uuid::new_v4().simple().to_string();
        let folder = match kind {
            ObjectKind::Blob => "blobs",
            ObjectKind::Log => "logs",
        };
        Self(format!("{folder}/{}/{id}", &id[..2]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key that no row knows of.
    #[cfg(test)]
    pub(crate) fn unregistered() -> Self {
        Self::new(ObjectKind::Blob)
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key for bytes that a later transaction is to name. Its row is committed when this returns.
pub async fn register(db: &Db, kind: ObjectKind, now: Millis) -> Result<ObjectKey> {
    let tx = db.begin().await?;
    let key = insert(&tx, kind, None, now).await?;
    tx.commit().await?;
    Ok(key)
}

/// As `register`, in the transaction that names the object too.
pub(super) async fn insert(
    tx: &Tx,
    kind: ObjectKind,
    owner: Option<(OwnerKind, Uuid)>,
    now: Millis,
) -> Result<ObjectKey> {
    let key = ObjectKey::new(kind);
    let row = rows::Object {
        id: Uuid::now_v7(),
        storage_key: key.clone(),
        kind,
        state: if owner.is_some() { ObjectState::Owned } else { ObjectState::Unowned },
        owner_kind: owner.map(|(kind, _)| kind),
        owner_id: owner.map(|(_, id)| id),
        created_at: now,
        remove_at: owner.is_none().then_some(now + ABANDONED_AFTER),
    };
    row.into_active_model().reset_all().insert(tx.connection()).await?;
    Ok(key)
}

/// From this transaction on a row names the object. An error when its bytes are being removed, or are gone.
pub(super) async fn own(tx: &Tx, key: &ObjectKey, owner_kind: OwnerKind, owner_id: Uuid) -> Result<()> {
    let changed = object::Entity::update_many()
        .col_expr(object::Column::State, Expr::value(ObjectState::Owned.as_str()))
        .col_expr(object::Column::OwnerKind, Expr::value(owner_kind.as_str()))
        .col_expr(object::Column::OwnerId, Expr::value(owner_id))
        .col_expr(object::Column::RemoveAt, Expr::value(Option::<i64>::None))
        .filter(object::Column::StorageKey.eq(key.clone()))
        .filter(object::Column::State.ne(ObjectState::Removing))
        .exec(tx.connection())
        .await?;
    if changed.rows_affected == 1 {
        return Ok(());
    }
    Err(Error::Unavailable("what was stored waited too long to be named, and is being removed; send it again".into()))
}

/// No row names these objects any more: their bytes may go from `remove_at` on.
pub async fn release(tx: &Tx, keys: &[ObjectKey], remove_at: Millis) -> Result<()> {
    for some in keys.chunks(500) {
        released(remove_at)
            .filter(object::Column::StorageKey.is_in(some.iter().cloned()))
            .filter(object::Column::State.ne(ObjectState::Removing))
            .exec(tx.connection())
            .await?;
    }
    Ok(())
}

fn released(remove_at: Millis) -> sea_orm::UpdateMany<object::Entity> {
    object::Entity::update_many()
        .col_expr(object::Column::State, Expr::value(ObjectState::Unowned.as_str()))
        .col_expr(object::Column::OwnerKind, Expr::value(Option::<String>::None))
        .col_expr(object::Column::OwnerId, Expr::value(Option::<Uuid>::None))
        .col_expr(object::Column::RemoveAt, Expr::value(remove_at))
}

/// Forgets objects whose bytes are gone.
pub async fn forget(tx: &Tx, keys: &[ObjectKey]) -> Result<()> {
    for some in keys.chunks(500) {
        let gone = object::Entity::delete_many().filter(object::Column::StorageKey.is_in(some.iter().cloned()));
        gone.filter(object::Column::State.ne(ObjectState::Owned)).exec(tx.connection()).await?;
    }
    Ok(())
}

/// Puts off objects whose bytes could not be removed.
pub async fn postpone(tx: &Tx, keys: &[ObjectKey], remove_at: Millis) -> Result<()> {
    for some in keys.chunks(500) {
        object::Entity::update_many()
            .col_expr(object::Column::RemoveAt, Expr::value(remove_at))
            .filter(object::Column::StorageKey.is_in(some.iter().cloned()))
            .filter(object::Column::State.ne(ObjectState::Owned))
            .exec(tx.connection())
            .await?;
    }
    Ok(())
}

/// Takes objects whose time is over: from the commit on nobody can name them again. Those that a sweep took before,
/// and did not come to remove, are among them.
pub async fn claim_due(tx: &Tx, now: Millis, limit: u64) -> Result<Vec<ObjectKey>> {
    let mut query = object::Entity::find()
        .filter(object::Column::State.ne(ObjectState::Owned))
        .filter(object::Column::RemoveAt.lte(now))
        .order_by_asc(object::Column::RemoveAt)
        .limit(limit);
    if tx.is_postgres() {
        // Whoever is about to name one holds it, and another server may sweep too.
        query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    let due = query.all(tx.connection()).await?;
    object::Entity::update_many()
        .col_expr(object::Column::State, Expr::value(ObjectState::Removing.as_str()))
        .filter(object::Column::Id.is_in(due.iter().map(|o| o.id)))
        .exec(tx.connection())
        .await?;
    Ok(due.into_iter().map(|o| o.storage_key).collect())
}

/// Objects whose owner went without letting go of them: rows die with what they refer to.
pub async fn ownerless(c: &impl Ask, limit: u64) -> Result<Vec<Uuid>> {
    Ok(object::Entity::find()
        .select_only()
        .column(object::Column::Id)
        .filter(has_no_owner())
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Lets go of those that are ownerless still.
pub async fn release_ownerless(tx: &Tx, ids: &[Uuid], remove_at: Millis) -> Result<()> {
    let change = released(remove_at).filter(object::Column::Id.is_in(ids.iter().copied())).filter(has_no_owner());
    change.exec(tx.connection()).await?;
    Ok(())
}

fn has_no_owner() -> Condition {
    let id = || Expr::col((object::Entity, object::Column::OwnerId));
    let key = || Expr::col((object::Entity, object::Column::StorageKey));
    let uploads = Query::select()
        .expr(Expr::val(1))
        .from(upload::Entity)
        .and_where(Expr::col((upload::Entity, upload::Column::Id)).eq(id()))
        .to_owned();
    let blobs = Query::select()
        .expr(Expr::val(1))
        .from(blob::Entity)
        .and_where(Expr::col((blob::Entity, blob::Column::Id)).eq(id()))
        .and_where(Expr::col((blob::Entity, blob::Column::StorageKey)).eq(key()))
        .to_owned();
    let logs = Query::select()
        .expr(Expr::val(1))
        .from(sealed_log::Entity)
        .and_where(Expr::col((sealed_log::Entity, sealed_log::Column::AttemptId)).eq(id()))
        .and_where(Expr::col((sealed_log::Entity, sealed_log::Column::StorageKey)).eq(key()))
        .to_owned();
    let gone = |kind: OwnerKind, rows| object::Column::OwnerKind.eq(kind).and(Expr::exists(rows).not());
    let any = Condition::any()
        .add(gone(OwnerKind::Upload, uploads))
        .add(gone(OwnerKind::Blob, blobs))
        .add(gone(OwnerKind::Log, logs));
    Condition::all().add(object::Column::State.eq(ObjectState::Owned)).add(any)
}

/// Key, and whether a row names bytes there: what an upload wrote so far may be nothing yet.
pub async fn in_folder(c: &impl Ask, folder: &str) -> Result<Vec<(ObjectKey, bool)>> {
    let rows = object::Entity::find()
        .filter(object::Column::StorageKey.gte(format!("{folder}/")))
        // `0` is the character after `/`.
        .filter(object::Column::StorageKey.lt(format!("{folder}0")))
        .all(c.connection())
        .await?;
    let has_bytes = |o: &rows::Object| o.state == ObjectState::Owned && o.owner_kind != Some(OwnerKind::Upload);
    Ok(rows.into_iter().map(|o| (o.storage_key.clone(), has_bytes(&o))).collect())
}

#[cfg(test)]
pub(crate) async fn all(c: &impl Ask) -> Vec<rows::Object> {
    object::Entity::find().order_by_asc(object::Column::StorageKey).all(c.connection()).await.unwrap()
}
