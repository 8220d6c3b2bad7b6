//! What forges sent, known by source and hash of the body.

use crate::clock::Millis;
use crate::db::entity::sources::hook_delivery;
use crate::db::{Ask, Tx, rows};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, OnConflict};
use sea_orm::{Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// The outcome of a delivery that nobody has read yet.
pub const WAITING: &str = "waiting";
/// A push of a few commits takes some 10 KB.
const USUAL_BYTES: i64 = 1 << 20;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::HookDelivery>> {
    Ok(hook_delivery::Entity::find_by_id(id).one(c.connection()).await?)
}

/// Keeps a delivery; false when the same body came before.
pub async fn insert(tx: &Tx, row: rows::HookDelivery) -> Result<bool> {
    let conflict = OnConflict::columns([hook_delivery::Column::SourceId, hook_delivery::Column::BodySha256])
        .do_nothing()
        .to_owned();
    let added = hook_delivery::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(tx.connection())
        .await?;
    Ok(added == 1)
}

/// Deliveries of a source that came since `since` and were read, newest first; not those of unusual size, since whoever
/// asks reads their bodies again.
pub async fn read_since(c: &impl Ask, source_id: Uuid, since: Millis, limit: u64) -> Result<Vec<Uuid>> {
    Ok(hook_delivery::Entity::find()
        .select_only()
        .column(hook_delivery::Column::Id)
        .filter(hook_delivery::Column::SourceId.eq(source_id))
        .filter(hook_delivery::Column::ReceivedAt.gte(since))
        .filter(hook_delivery::Column::Outcome.ne(WAITING))
        .filter(Expr::expr(Func::cust("length").arg(Expr::col(hook_delivery::Column::Body))).lte(USUAL_BYTES))
        .order_by_desc(hook_delivery::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

pub async fn set_outcome(tx: &Tx, id: Uuid, outcome: &str) -> Result<()> {
    let change = hook_delivery::ActiveModel { outcome: Set(outcome.to_owned()), ..Default::default() };
    hook_delivery::Entity::update_many()
        .set(change)
        .filter(hook_delivery::Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Some deliveries from before a time that were read, and have their bodies still.
pub async fn read_before(c: &impl Ask, before: Millis, limit: u64) -> Result<Vec<Uuid>> {
    let full = Expr::expr(Func::cust("length").arg(Expr::col(hook_delivery::Column::Body))).gt(0);
    let read = hook_delivery::Column::Outcome.ne(WAITING);
    some(c, Condition::all().add(hook_delivery::Column::ReceivedAt.lt(before)).add(read).add(full), limit).await
}

/// Some deliveries from before a time.
pub async fn before(c: &impl Ask, before: Millis, limit: u64) -> Result<Vec<Uuid>> {
    some(c, Condition::all().add(hook_delivery::Column::ReceivedAt.lt(before)), limit).await
}

async fn some(c: &impl Ask, which: Condition, limit: u64) -> Result<Vec<Uuid>> {
    Ok(hook_delivery::Entity::find()
        .select_only()
        .column(hook_delivery::Column::Id)
        .filter(which)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Empties the bodies of these.
pub async fn empty(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    let change = hook_delivery::ActiveModel { body: Set(Vec::new()), ..Default::default() };
    let these = hook_delivery::Entity::update_many().set(change);
    these.filter(hook_delivery::Column::Id.is_in(ids.iter().copied())).exec(tx.connection()).await?;
    Ok(())
}

/// Forgets these. A replay of a forgotten one does no harm: its ref has moved on, and then the forge is asked.
pub async fn forget(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    let these = hook_delivery::Entity::delete_many().filter(hook_delivery::Column::Id.is_in(ids.iter().copied()));
    these.exec(tx.connection()).await?;
    Ok(())
}

/// Forgets some of the deliveries of a source that nobody waits for.
pub async fn forget_some(tx: &Tx, source_id: Uuid, limit: u64) -> Result<u64> {
    let some: Vec<Uuid> = hook_delivery::Entity::find()
        .select_only()
        .column(hook_delivery::Column::Id)
        .filter(hook_delivery::Column::SourceId.eq(source_id))
        .filter(hook_delivery::Column::Outcome.ne(WAITING))
        .limit(limit)
        .into_tuple()
        .all(tx.connection())
        .await?;
    let gone = hook_delivery::Entity::delete_many().filter(hook_delivery::Column::Id.is_in(some));
    Ok(gone.exec(tx.connection()).await?.rows_affected)
}

/// The last deliveries of a source, newest first.
#[cfg(test)]
pub(crate) async fn latest(c: &impl Ask, source_id: Uuid, limit: u64) -> Result<Vec<rows::HookDelivery>> {
    Ok(hook_delivery::Entity::find()
        .filter(hook_delivery::Column::SourceId.eq(source_id))
        .order_by_desc(hook_delivery::Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}
