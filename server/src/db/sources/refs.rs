//! The refs of a source and the numbers of their updates.

use crate::clock::Millis;
use crate::db::entity::sources::{source, source_ref};
use crate::db::{Ask, Tx, rows};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn find(c: &impl Ask, source_id: Uuid, name: &str) -> Result<Option<rows::SourceRef>> {
    Ok(source_ref::Entity::find()
        .filter(source_ref::Column::SourceId.eq(source_id))
        .filter(source_ref::Column::Name.eq(name))
        .one(c.connection())
        .await?)
}

/// Refs that exist, in the order in which we first saw them.
pub async fn live(c: &impl Ask, source_id: Uuid) -> Result<Vec<rows::SourceRef>> {
    Ok(source_ref::Entity::find()
        .filter(source_ref::Column::SourceId.eq(source_id))
        .filter(source_ref::Column::DeletedAt.is_null())
        .order_by_asc(source_ref::Column::Id)
        .all(c.connection())
        .await?)
}

/// How many refs exist.
pub async fn count_live(c: &impl Ask, source_id: Uuid) -> Result<u64> {
    Ok(source_ref::Entity::find()
        .filter(source_ref::Column::SourceId.eq(source_id))
        .filter(source_ref::Column::DeletedAt.is_null())
        .count(c.connection())
        .await?)
}

/// Names of refs that exist, of those known longest.
pub async fn some_live(c: &impl Ask, source_id: Uuid, limit: u64) -> Result<Vec<String>> {
    Ok(source_ref::Entity::find()
        .select_only()
        .column(source_ref::Column::Name)
        .filter(source_ref::Column::SourceId.eq(source_id))
        .filter(source_ref::Column::DeletedAt.is_null())
        .order_by_asc(source_ref::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Takes `count` numbers; the first of them is returned. The caller has locked `source`.
pub async fn take_numbers(tx: &Tx, source: &rows::Source, count: i64) -> Result<i64> {
    let change = source::ActiveModel { next_ref_number: Set(source.next_ref_number + count), ..Default::default() };
    source::Entity::update_many().set(change).filter(source::Column::Id.eq(source.id)).exec(tx.connection()).await?;
    Ok(source.next_ref_number)
}

/// Puts a ref at a commit. A ref that comes back is a new one: what it collides with came before it.
pub async fn put(
    tx: &Tx,
    known: Option<rows::SourceRef>,
    source_id: Uuid,
    name: &str,
    commit_hash: &str,
    number: i64,
    now: Millis,
) -> Result<()> {
    if let Some(known) = known {
        source_ref::Entity::delete_by_id(known.id).exec(tx.connection()).await?;
        if known.deleted_at.is_none() {
            return insert(tx, known.id, source_id, name, commit_hash, number, now).await;
        }
    }
    insert(tx, Uuid::now_v7(), source_id, name, commit_hash, number, now).await
}

async fn insert(
    tx: &Tx,
    id: Uuid,
    source_id: Uuid,
    name: &str,
    commit_hash: &str,
    number: i64,
    now: Millis,
) -> Result<()> {
    let row = rows::SourceRef {
        id,
        source_id,
        name: name.to_owned(),
        commit_hash: commit_hash.to_owned(),
        number,
        updated_at: now,
        deleted_at: None,
    };
    row.into_active_model().reset_all().insert(tx.connection()).await?;
    Ok(())
}

/// Adds many new refs at once.
pub async fn insert_all(tx: &Tx, rows: Vec<rows::SourceRef>) -> Result<()> {
    // 7 columns each: PostgreSQL takes 65,535 values in a statement, SQLite 32,766.
    for some in rows.chunks(1_000) {
        let models = some.iter().cloned().map(|row| row.into_active_model().reset_all());
        source_ref::Entity::insert_many(models).exec_without_returning(tx.connection()).await?;
    }
    Ok(())
}

pub async fn mark_deleted(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    let change = source_ref::ActiveModel { deleted_at: Set(Some(now)), updated_at: Set(now), ..Default::default() };
    source_ref::Entity::update_many().set(change).filter(source_ref::Column::Id.eq(id)).exec(tx.connection()).await?;
    Ok(())
}

/// Makes all refs of a source old news.
#[cfg(test)]
pub(crate) async fn age(tx: &Tx, source_id: Uuid) -> Result<()> {
    let change = source_ref::ActiveModel { updated_at: Set(0), ..Default::default() };
    let of_source = source_ref::Column::SourceId.eq(source_id);
    source_ref::Entity::update_many().set(change).filter(of_source).exec(tx.connection()).await?;
    Ok(())
}
