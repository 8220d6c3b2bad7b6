//! What is kept for a time only: what is too old is found outside of a transaction, and goes a few hundred rows at a time.

use super::entity::builds::{build_attempt, build_step, log_batch, sealed_log};
use super::entity::operations::event;
use super::entity::registry::tag_move;
use super::entity::sources::source_ref;
use super::{Ask, Tx, objects};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait as _, Query};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Events of before `before`, oldest first; of one repository, if one is named.
pub async fn old_events(c: &impl Ask, repository_id: Option<Uuid>, before: Millis, limit: u64) -> Result<Vec<Uuid>> {
    let mut old = event::Entity::find().filter(event::Column::At.lt(before)).order_by_asc(event::Column::At);
    if let Some(id) = repository_id {
        old = old.filter(event::Column::RepositoryId.eq(id));
    }
    Ok(old.select_only().column(event::Column::Id).limit(limit).into_tuple().all(c.connection()).await?)
}

pub async fn forget_events(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    let gone = event::Entity::delete_many().filter(event::Column::Id.is_in(ids.iter().copied()));
    gone.exec(tx.connection()).await?;
    Ok(())
}

/// When the newest event was that a repository has beyond `most`; `None` when it has no more than these.
pub async fn bound_of_events(c: &impl Ask, repository_id: Uuid, most: u64) -> Result<Option<Millis>> {
    let times = event::Entity::find().filter(event::Column::RepositoryId.eq(repository_id));
    let times = times.order_by_desc(event::Column::At).select_only().column(event::Column::At);
    Ok(times.offset(most).limit(1).into_tuple().one(c.connection()).await?)
}

/// Repositories with more than `most` events.
pub async fn crowded_with_events(c: &impl Ask, most: u64) -> Result<Vec<Uuid>> {
    let number = Expr::col(Asterisk).count();
    let crowded = event::Entity::find().select_only().column(event::Column::RepositoryId);
    let crowded = crowded.filter(event::Column::RepositoryId.is_not_null()).group_by(event::Column::RepositoryId);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok(crowded.having(number.gt(most)).into_tuple().all(c.connection()).await?)
}

/// Moves from `from` on and before `before` that are over: not the last one of a tag that is there, since each tag keeps
/// its cause. With the time of each, oldest first; of one repository, if one is named.
pub async fn old_moves(
    c: &impl Ask,
    repository_id: Option<Uuid>,
    (from, before): (Millis, Millis),
    limit: u64,
) -> Result<Vec<(Uuid, Millis)>> {
    let newer = Alias::new("newer");
    let of_newer = |column: tag_move::Column| Expr::col((newer.clone(), column));
    let this = |column: tag_move::Column| Expr::col((tag_move::Entity, column));
    let is_newer = of_newer(tag_move::Column::At)
        .gt(this(tag_move::Column::At))
        .or(of_newer(tag_move::Column::Id).gt(this(tag_move::Column::Id)));
    let has_newer = Query::select()
        .expr(Expr::val(1))
        .from_as(tag_move::Entity, newer.clone())
        .and_where(of_newer(tag_move::Column::RepositoryId).eq(this(tag_move::Column::RepositoryId)))
        .and_where(of_newer(tag_move::Column::Tag).eq(this(tag_move::Column::Tag)))
        // For the index: a tag with many moves is not read from its first one on.
        .and_where(of_newer(tag_move::Column::At).gte(this(tag_move::Column::At)))
        .and_where(is_newer)
        .to_owned();
    let is_over = Condition::any().add(Expr::exists(has_newer)).add(tag_move::Column::ToDigest.is_null());
    let mut old = tag_move::Entity::find()
        .filter(tag_move::Column::At.gte(from))
        .filter(tag_move::Column::At.lt(before))
        .filter(is_over)
        .order_by_asc(tag_move::Column::At)
        .order_by_asc(tag_move::Column::Id);
    if let Some(id) = repository_id {
        old = old.filter(tag_move::Column::RepositoryId.eq(id));
    }
    let old = old.select_only().columns([tag_move::Column::Id, tag_move::Column::At]).limit(limit);
    Ok(old.into_tuple().all(c.connection()).await?)
}

pub async fn forget_moves(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    let gone = tag_move::Entity::delete_many().filter(tag_move::Column::Id.is_in(ids.iter().copied()));
    gone.exec(tx.connection()).await?;
    Ok(())
}

/// When the newest move was that a repository has beyond `most`; `None` when it has no more than these.
pub async fn bound_of_moves(c: &impl Ask, repository_id: Uuid, most: u64) -> Result<Option<Millis>> {
    let times = tag_move::Entity::find().filter(tag_move::Column::RepositoryId.eq(repository_id));
    let times = times.order_by_desc(tag_move::Column::At).select_only().column(tag_move::Column::At);
    Ok(times.offset(most).limit(1).into_tuple().one(c.connection()).await?)
}

/// Repositories with more than `most` moves.
pub async fn crowded_with_moves(c: &impl Ask, most: u64) -> Result<Vec<Uuid>> {
    let number = Expr::col(Asterisk).count();
    let crowded = tag_move::Entity::find().select_only().column(tag_move::Column::RepositoryId);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let crowded = crowded.group_by(tag_move::Column::RepositoryId).having(number.gt(most));
    Ok(crowded.into_tuple().all(c.connection()).await?)
}

/// Refs that were deleted before `before`: a build of a ref that is not there moves nothing either.
pub async fn old_refs(c: &impl Ask, before: Millis, limit: u64) -> Result<Vec<Uuid>> {
    let old = source_ref::Entity::find().filter(source_ref::Column::DeletedAt.lt(before));
    Ok(old.select_only().column(source_ref::Column::Id).limit(limit).into_tuple().all(c.connection()).await?)
}

/// Forgets those of these refs that did not come back meanwhile.
pub async fn forget_refs(tx: &Tx, ids: &[Uuid], before: Millis) -> Result<()> {
    let gone = source_ref::Entity::delete_many()
        .filter(source_ref::Column::Id.is_in(ids.iter().copied()))
        .filter(source_ref::Column::DeletedAt.lt(before));
    gone.exec(tx.connection()).await?;
    Ok(())
}

/// Attempts that ended from `from` on and before `before`, and have a log or steps; with the time of each, oldest first.
pub async fn old_logs(c: &impl Ask, (from, before): (Millis, Millis), limit: u64) -> Result<Vec<(Uuid, Millis)>> {
    let of = |table: &str| {
        Query::select()
            .expr(Expr::val(1))
            .from(Alias::new(table))
            .and_where(
                Expr::col((Alias::new(table), Alias::new("attempt_id")))
                    .equals((build_attempt::Entity, build_attempt::Column::Id)),
            )
            .to_owned()
    };
    let has_log =
        ["sealed_log", "log_batch", "build_step"].iter().fold(Condition::any(), |any, t| any.add(Expr::exists(of(t))));
    let old = build_attempt::Entity::find()
        .filter(build_attempt::Column::EndedAt.gte(from))
        .filter(build_attempt::Column::EndedAt.lt(before))
        .filter(has_log)
        .order_by_asc(build_attempt::Column::EndedAt);
    let old = old.select_only().columns([build_attempt::Column::Id, build_attempt::Column::EndedAt]).limit(limit);
    Ok(old.into_tuple().all(c.connection()).await?)
}

/// Forgets the logs and the steps of these attempts. The page says `why` in their place; the bytes go from `remove_at` on.
pub async fn forget_logs(tx: &Tx, ids: &[Uuid], why: &str, remove_at: Millis) -> Result<()> {
    let sealed = sealed_log::Entity::find().filter(sealed_log::Column::AttemptId.is_in(ids.iter().copied()));
    let keys: Vec<_> = sealed.all(tx.connection()).await?.into_iter().map(|log| log.storage_key).collect();
    objects::release(tx, &keys, remove_at).await?;
    let sealed = sealed_log::Column::AttemptId.is_in(ids.iter().copied());
    sealed_log::Entity::delete_many().filter(sealed).exec(tx.connection()).await?;
    let batches = log_batch::Entity::delete_many().filter(log_batch::Column::AttemptId.is_in(ids.iter().copied()));
    batches.exec(tx.connection()).await?;
    let steps = build_step::Entity::delete_many().filter(build_step::Column::AttemptId.is_in(ids.iter().copied()));
    steps.exec(tx.connection()).await?;
    build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LogCut, Expr::value(Some(why.to_owned())))
        .filter(build_attempt::Column::Id.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(())
}
