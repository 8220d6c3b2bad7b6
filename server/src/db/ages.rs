//! What is kept for a time only. Each question removes a bounded number of rows, and says how many.

use super::entity::builds::{build_attempt, build_step, log_batch, sealed_log};
use super::entity::operations::event;
use super::entity::registry::tag_move;
use super::entity::sources::source_ref;
use super::{Ask as _, Tx, objects};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait as _, Query};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Events of before `before`.
pub async fn forget_events(tx: &Tx, before: Millis, limit: u64) -> Result<u64> {
    let old = event::Entity::find().filter(event::Column::At.lt(before)).order_by_asc(event::Column::At);
    let ids: Vec<Uuid> =
        old.select_only().column(event::Column::Id).limit(limit).into_tuple().all(tx.connection()).await?;
    Ok(event::Entity::delete_many().filter(event::Column::Id.is_in(ids)).exec(tx.connection()).await?.rows_affected)
}

/// Moves of before `before`, but for the last one of a tag that is there: each tag keeps its cause.
pub async fn forget_moves(tx: &Tx, before: Millis, limit: u64) -> Result<u64> {
    let newer = Alias::new("newer");
    let has_newer = Query::select()
        .expr(Expr::val(1))
        .from_as(tag_move::Entity, newer.clone())
        .and_where(
            Expr::col((newer.clone(), tag_move::Column::RepositoryId))
                .equals((tag_move::Entity, tag_move::Column::RepositoryId)),
        )
        .and_where(Expr::col((newer.clone(), tag_move::Column::Tag)).equals((tag_move::Entity, tag_move::Column::Tag)))
        .and_where(Expr::col((newer, tag_move::Column::Id)).gt(Expr::col((tag_move::Entity, tag_move::Column::Id))))
        .to_owned();
    let is_over = Condition::any().add(Expr::exists(has_newer)).add(tag_move::Column::ToDigest.is_null());
    let old = tag_move::Entity::find().filter(tag_move::Column::At.lt(before)).filter(is_over);
    let ids: Vec<Uuid> =
        old.select_only().column(tag_move::Column::Id).limit(limit).into_tuple().all(tx.connection()).await?;
    let gone = tag_move::Entity::delete_many().filter(tag_move::Column::Id.is_in(ids)).exec(tx.connection()).await?;
    Ok(gone.rows_affected)
}

/// Refs that were deleted before `before`: a build of a ref that is not there moves nothing either.
pub async fn forget_refs(tx: &Tx, before: Millis, limit: u64) -> Result<u64> {
    let old = source_ref::Entity::find().filter(source_ref::Column::DeletedAt.lt(before));
    let ids: Vec<Uuid> =
        old.select_only().column(source_ref::Column::Id).limit(limit).into_tuple().all(tx.connection()).await?;
    let gone =
        source_ref::Entity::delete_many().filter(source_ref::Column::Id.is_in(ids)).exec(tx.connection()).await?;
    Ok(gone.rows_affected)
}

/// Logs of attempts that ended before `before`, with their steps. The page says `why` in their place; the bytes go
/// from `remove_at` on.
pub async fn forget_logs(tx: &Tx, before: Millis, why: &str, remove_at: Millis, limit: u64) -> Result<u64> {
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
    let old = build_attempt::Entity::find().filter(build_attempt::Column::EndedAt.lt(before)).filter(has_log);
    let ids: Vec<Uuid> =
        old.select_only().column(build_attempt::Column::Id).limit(limit).into_tuple().all(tx.connection()).await?;
    let sealed = sealed_log::Entity::find().filter(sealed_log::Column::AttemptId.is_in(ids.clone()));
    let keys: Vec<_> = sealed.all(tx.connection()).await?.into_iter().map(|log| log.storage_key).collect();
    objects::release(tx, &keys, remove_at).await?;
    let among = |column: sealed_log::Column| column.is_in(ids.clone());
    sealed_log::Entity::delete_many().filter(among(sealed_log::Column::AttemptId)).exec(tx.connection()).await?;
    let batches = log_batch::Entity::delete_many().filter(log_batch::Column::AttemptId.is_in(ids.clone()));
    batches.exec(tx.connection()).await?;
    let steps = build_step::Entity::delete_many().filter(build_step::Column::AttemptId.is_in(ids.clone()));
    steps.exec(tx.connection()).await?;
    let changed = build_attempt::Entity::update_many()
        .col_expr(build_attempt::Column::LogCut, Expr::value(Some(why.to_owned())))
        .filter(build_attempt::Column::Id.is_in(ids))
        .exec(tx.connection())
        .await?;
    Ok(changed.rows_affected)
}
