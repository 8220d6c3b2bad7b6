//! What a connection may import, as its forge listed it.

use crate::clock::{MINUTE, Millis};
use crate::db::entity::sources::forge_repository as listed;
use crate::db::search::contains;
use crate::db::{Ask, ScanState, Tx, rows};
use crate::error::Result;
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::NullOrdering;
use sea_orm::{IntoActiveModel, Order, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::ForgeRepository>> {
    Ok(listed::Entity::find_by_id(id).one(c.connection()).await?)
}

/// One page of those whose name holds `text`, most recently pushed first, and how many there are in all.
pub async fn search(
    c: &impl Ask,
    connection_id: Uuid,
    text: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::ForgeRepository>, u64)> {
    let mut query = listed::Entity::find().filter(listed::Column::ConnectionId.eq(connection_id));
    if !text.is_empty() {
        query = query.filter(contains(listed::Column::FullName, text));
    }
    let total = query.clone().count(c.connection()).await?;
    let rows = query
        .order_by_with_nulls(listed::Column::PushedAt, Order::Desc, NullOrdering::Last)
        .order_by_asc(listed::Column::FullName)
        .offset(offset)
        .limit(limit)
        .all(c.connection())
        .await?;
    Ok((rows, total))
}

/// Adds or refreshes a page of a listing. Rows keep their id and Dockerfiles; a push since then asks for a new scan.
pub async fn put_page(tx: &Tx, connection_id: Uuid, page: Vec<rows::ForgeRepository>) -> Result<()> {
    let known = listed::Entity::find()
        .filter(listed::Column::ConnectionId.eq(connection_id))
        .filter(listed::Column::RemoteId.is_in(page.iter().map(|r| r.remote_id.as_str())))
        .all(tx.connection())
        .await?;
    for mut row in page {
        let Some(old) = known.iter().find(|old| old.remote_id == row.remote_id) else {
            row.into_active_model().reset_all().insert(tx.connection()).await?;
            continue;
        };
        row.id = old.id;
        row.dockerfiles.clone_from(&old.dockerfiles);
        let is_same = old.pushed_at == row.pushed_at && old.default_branch == row.default_branch;
        // Forges tell of pushes in whole seconds of their own clock: one right after the last listing may look like none.
        let was_settled = old.pushed_at.is_none_or(|at| at + MINUTE < old.listed_at);
        let is_known = is_same && was_settled && old.scan_state == ScanState::Done;
        row.scan_state = if is_known { ScanState::Done } else { ScanState::Pending };
        row.into_active_model().reset_all().update(tx.connection()).await?;
    }
    Ok(())
}

/// Forgets what the listing that began at `since` did not find.
pub async fn drop_unseen(tx: &Tx, connection_id: Uuid, since: Millis) -> Result<u64> {
    let gone = listed::Entity::delete_many()
        .filter(listed::Column::ConnectionId.eq(connection_id))
        .filter(listed::Column::ListedAt.lt(since))
        .exec(tx.connection())
        .await?;
    Ok(gone.rows_affected)
}

/// Forgets what an account at the forge owns, for somebody who left it.
pub async fn drop_of_owner(tx: &Tx, connection_id: Uuid, owner_id: &str) -> Result<()> {
    listed::Entity::delete_many()
        .filter(listed::Column::ConnectionId.eq(connection_id))
        .filter(listed::Column::OwnerId.eq(owner_id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// The most recently pushed ones whose Dockerfiles are not known.
pub async fn unscanned(c: &impl Ask, connection_id: Uuid, limit: u64) -> Result<Vec<rows::ForgeRepository>> {
    Ok(listed::Entity::find()
        .filter(listed::Column::ConnectionId.eq(connection_id))
        .filter(listed::Column::ScanState.eq(ScanState::Pending))
        .order_by_with_nulls(listed::Column::PushedAt, Order::Desc, NullOrdering::Last)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// `dockerfiles` is a JSON list of paths.
pub async fn set_scanned(tx: &Tx, id: Uuid, state: ScanState, dockerfiles: String) -> Result<()> {
    let change = listed::ActiveModel { scan_state: Set(state), dockerfiles: Set(dockerfiles), ..Default::default() };
    listed::Entity::update_many().set(change).filter(listed::Column::Id.eq(id)).exec(tx.connection()).await?;
    Ok(())
}

pub async fn find_by_remote(
    c: &impl Ask,
    connection_id: Uuid,
    remote_id: &str,
) -> Result<Option<rows::ForgeRepository>> {
    Ok(listed::Entity::find()
        .filter(listed::Column::ConnectionId.eq(connection_id))
        .filter(listed::Column::RemoteId.eq(remote_id))
        .one(c.connection())
        .await?)
}

/// Logins of the organisations that own something listed.
pub async fn organizations(c: &impl Ask, connection_id: Uuid) -> Result<Vec<String>> {
    Ok(listed::Entity::find()
        .select_only()
        .column(listed::Column::OwnerLogin)
        .distinct()
        .filter(listed::Column::ConnectionId.eq(connection_id))
        .filter(listed::Column::OwnerKind.eq("organization"))
        .into_tuple()
        .all(c.connection())
        .await?)
}
