//! Sources and their rules; below: what a forge lists, refs, and deliveries.

pub mod deliveries;
pub mod listing;
pub mod refs;

use super::entity::sources::{rule, source};
use super::{Ask, HookState, OnConstraint, RepositoryState, SourceState, Tx, rows};
use crate::clock::Millis;
use crate::error::{Error, Result};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, NullOrdering};
use sea_orm::{Condition, IntoActiveModel, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _};
use uuid::Uuid;

pub async fn find(c: &impl Ask, id: Uuid) -> Result<Option<rows::Source>> {
    Ok(source::Entity::find_by_id(id).one(c.connection()).await?)
}

/// The source, locked until the transaction ends: ref numbers and heads of one source are settled one after the other.
pub async fn lock(tx: &Tx, id: Uuid) -> Result<Option<rows::Source>> {
    let mut query = source::Entity::find_by_id(id);
    if tx.is_postgres() {
        // Not stronger: whoever holds the repository may insert a build of this source meanwhile, and whoever holds
        // the source may go on to the repository.
        query = query.lock(LockType::NoKeyUpdate);
    }
    Ok(query.one(tx.connection()).await?)
}

pub async fn find_by_remote(
    c: &impl Ask,
    namespace_id: Uuid,
    forge_url: &str,
    remote_id: &str,
) -> Result<Option<rows::Source>> {
    Ok(source::Entity::find()
        .filter(source::Column::NamespaceId.eq(namespace_id))
        .filter(source::Column::ForgeUrl.eq(forge_url))
        .filter(source::Column::RemoteId.eq(remote_id))
        .one(c.connection())
        .await?)
}

/// Sources of the namespaces given that are one of these code repositories.
pub async fn of_remotes(
    c: &impl Ask,
    namespaces: impl IntoIterator<Item = Uuid>,
    forge_url: &str,
    remote_ids: impl IntoIterator<Item = &str>,
) -> Result<Vec<rows::Source>> {
    Ok(source::Entity::find()
        .filter(source::Column::NamespaceId.is_in(namespaces))
        .filter(source::Column::ForgeUrl.eq(forge_url))
        .filter(source::Column::RemoteId.is_in(remote_ids))
        .all(c.connection())
        .await?)
}

/// Sources of any namespace that are one of these code repositories, and that we take for public.
pub async fn public_of_remotes(c: &impl Ask, forge_url: &str, remote_ids: &[&str]) -> Result<Vec<rows::Source>> {
    Ok(source::Entity::find()
        .filter(source::Column::ForgeUrl.eq(forge_url))
        .filter(source::Column::RemoteId.is_in(remote_ids.iter().copied()))
        .filter(source::Column::IsPrivate.eq(false))
        .order_by_asc(source::Column::Id)
        .all(c.connection())
        .await?)
}

/// Sources of any namespace that are this code repository, and that we know to be private.
pub async fn private_of_remote(c: &impl Ask, forge_url: &str, remote_id: &str) -> Result<Vec<Uuid>> {
    let private = source::Entity::find()
        .select_only()
        .column(source::Column::Id)
        .filter(source::Column::ForgeUrl.eq(forge_url))
        .filter(source::Column::RemoteId.eq(remote_id))
        .filter(source::Column::IsPrivate.eq(true));
    Ok(private.into_tuple().all(c.connection()).await?)
}

pub async fn insert(tx: &Tx, row: rows::Source) -> Result<rows::Source> {
    let name = row.full_name.clone();
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("source_namespace_id_forge_url_remote_id", || {
            Error::Conflict(format!("`{name}` is connected already"))
        })
}

pub async fn delete(tx: &Tx, id: Uuid) -> Result<()> {
    source::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}

/// Sources that should be looked at: those without a working hook that were last polled before `polled_before`,
/// those that cannot be reached before `retried_before`, and all others before `reconciled_before`. What was polled after
/// `wrong_after` was written by a wrong clock, and should be looked at too.
pub async fn due(
    c: &impl Ask,
    polled_before: Millis,
    retried_before: Millis,
    reconciled_before: Millis,
    wrong_after: Millis,
    limit: u64,
) -> Result<Vec<rows::Source>> {
    let before = |limit: Millis| source::Column::PolledAt.is_null().or(source::Column::PolledAt.lte(limit));
    let active = || source::Column::State.eq(SourceState::Active);
    let soon = Condition::any()
        .add(active().and(source::Column::HookState.ne(HookState::Active)).and(before(polled_before)))
        .add(active().and(before(reconciled_before)))
        .add(source::Column::State.eq(SourceState::Unreachable).and(before(retried_before)))
        // Only a look at the connection, unless that has come back.
        .add(source::Column::State.eq(SourceState::Disconnected).and(before(polled_before)))
        .add(source::Column::State.eq(SourceState::Gone).and(before(reconciled_before)))
        .add(source::Column::PolledAt.gt(wrong_after));
    Ok(source::Entity::find()
        .filter(soon)
        .order_by_with_nulls(source::Column::PolledAt, Order::Asc, NullOrdering::First)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// Every source, by name, up to a limit.
pub async fn all(c: &impl Ask, limit: u64) -> Result<Vec<rows::Source>> {
    Ok(source::Entity::find().order_by_asc(source::Column::FullName).limit(limit).all(c.connection()).await?)
}

/// Makes every source due.
pub async fn forget_polls(tx: &Tx) -> Result<()> {
    source::Entity::update_many()
        .col_expr(source::Column::PolledAt, Expr::value(None::<Millis>))
        .exec(tx.connection())
        .await?;
    Ok(())
}

async fn update(tx: &Tx, id: Uuid, change: source::ActiveModel) -> Result<()> {
    source::Entity::update_many().set(change).filter(source::Column::Id.eq(id)).exec(tx.connection()).await?;
    Ok(())
}

pub async fn set_state(tx: &Tx, id: Uuid, state: SourceState, detail: Option<String>) -> Result<()> {
    update(tx, id, source::ActiveModel { state: Set(state), state_detail: Set(detail), ..Default::default() }).await
}

pub async fn set_polled(tx: &Tx, id: Uuid, now: Millis, memory: Option<String>) -> Result<()> {
    update(tx, id, source::ActiveModel { polled_at: Set(Some(now)), poll_etag: Set(memory), ..Default::default() })
        .await
}

/// Notes that somebody begins to look at `source`; false when somebody else did since it was read.
pub async fn claim_poll(tx: &Tx, source: &rows::Source, now: Millis) -> Result<bool> {
    let polled = source::Column::PolledAt;
    let changed = source::Entity::update_many()
        .col_expr(polled, Expr::value(now))
        .filter(source::Column::Id.eq(source.id))
        .filter(source.polled_at.map_or_else(|| polled.is_null(), |at| polled.eq(at)))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Looked at, without a change of what is remembered.
pub async fn touch_polled(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    update(tx, id, source::ActiveModel { polled_at: Set(Some(now)), ..Default::default() }).await
}

/// As if it had been looked at then, which makes it due sooner; what was looked at earlier stays as it is.
pub async fn bring_forward(tx: &Tx, id: Uuid, then: Millis) -> Result<()> {
    source::Entity::update_many()
        .col_expr(source::Column::PolledAt, Expr::value(then))
        .filter(source::Column::Id.eq(id))
        .filter(source::Column::PolledAt.gt(then))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// The next look hears all refs again. What is remembered stands for the refs as the last look left them: when a delivery
/// changed them since, "nothing changed" would hide that they are as they were.
pub async fn forget_memory(tx: &Tx, id: Uuid) -> Result<()> {
    update(tx, id, source::ActiveModel { poll_etag: Set(None), ..Default::default() }).await
}

pub async fn set_hook(tx: &Tx, id: Uuid, state: HookState, detail: Option<String>) -> Result<()> {
    update(tx, id, source::ActiveModel { hook_state: Set(state), hook_detail: Set(detail), ..Default::default() }).await
}

pub async fn set_hook_remote_id(tx: &Tx, id: Uuid, remote_id: Option<String>) -> Result<()> {
    update(tx, id, source::ActiveModel { hook_remote_id: Set(remote_id), ..Default::default() }).await
}

/// A signed delivery came: so the hook works.
pub async fn note_delivery(tx: &Tx, id: Uuid, now: Millis) -> Result<()> {
    let change = source::ActiveModel {
        delivered_at: Set(Some(now)),
        hook_state: Set(HookState::Active),
        hook_detail: Set(None),
        ..Default::default()
    };
    update(tx, id, change).await
}

/// Writes names, addresses, default branch and visibility: owners rename, move and hide theirs.
pub async fn set_facts(tx: &Tx, facts: &rows::Source) -> Result<()> {
    let change = source::ActiveModel {
        full_name: Set(facts.full_name.clone()),
        html_url: Set(facts.html_url.clone()),
        clone_url: Set(facts.clone_url.clone()),
        default_branch: Set(facts.default_branch.clone()),
        is_private: Set(facts.is_private),
        ..Default::default()
    };
    update(tx, facts.id, change).await
}

pub async fn set_default_branch(tx: &Tx, id: Uuid, branch: &str) -> Result<()> {
    update(tx, id, source::ActiveModel { default_branch: Set(branch.to_owned()), ..Default::default() }).await
}

pub async fn set_connection(tx: &Tx, id: Uuid, connection_id: Uuid) -> Result<()> {
    update(tx, id, source::ActiveModel { connection_id: Set(Some(connection_id)), ..Default::default() }).await
}

pub async fn insert_rule(tx: &Tx, row: rows::Rule) -> Result<rows::Rule> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

/// Repositories whose rules count no more.
pub(super) fn being_deleted() -> sea_orm::sea_query::SelectStatement {
    use super::entity::registry::repository;
    repository::Entity::find()
        .select_only()
        .column(repository::Column::Id)
        .filter(repository::Column::State.eq(RepositoryState::Deleting))
        .into_query()
}

/// In the order in which they were made, without those of repositories that are being deleted.
pub async fn rules_of(c: &impl Ask, source_id: Uuid) -> Result<Vec<rows::Rule>> {
    Ok(rule::Entity::find()
        .filter(rule::Column::SourceId.eq(source_id))
        .filter(rule::Column::RepositoryId.not_in_subquery(being_deleted()))
        .order_by_asc(rule::Column::Id)
        .all(c.connection())
        .await?)
}

pub async fn rules_into(c: &impl Ask, repository_id: Uuid) -> Result<Vec<rows::Rule>> {
    Ok(rule::Entity::find()
        .filter(rule::Column::RepositoryId.eq(repository_id))
        .filter(rule::Column::RepositoryId.not_in_subquery(being_deleted()))
        .order_by_asc(rule::Column::Id)
        .all(c.connection())
        .await?)
}

/// The rules that filled a repository that is being deleted.
pub async fn rules_left_by(c: &impl Ask, repository_id: Uuid) -> Result<Vec<rows::Rule>> {
    let rules = rule::Entity::find().filter(rule::Column::RepositoryId.eq(repository_id));
    Ok(rules.order_by_asc(rule::Column::SourceId).all(c.connection()).await?)
}

pub async fn delete_rule(tx: &Tx, id: Uuid) -> Result<()> {
    rule::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}

pub async fn update_rule(tx: &Tx, row: rows::Rule) -> Result<()> {
    row.into_active_model().reset_all().update(tx.connection()).await?;
    Ok(())
}
