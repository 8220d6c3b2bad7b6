//! What tags point at, as lists show it: each digest once, however many tags it has. One index of the repository's tags
//! answers, and no manifest is read.

use super::super::entity::registry::tag;
use super::super::{Ask, rows};
use super::shown;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// How many digests have a tag that people see for `part`.
pub async fn count(c: &impl Ask, repository_id: Uuid, part: &str) -> Result<u64> {
    let distinct = Expr::col(tag::Column::Digest).count_distinct();
    let query = shown(repository_id, part).select_only().column_as(distinct, "n");
    let found: Option<i64> = query.into_tuple().one(c.connection()).await?;
    Ok(found.and_then(|n| u64::try_from(n).ok()).unwrap_or_default())
}

/// Some of these digests without `but`: that first whose tag moved last, or by name of the first tag.
pub async fn page(
    c: &impl Ask,
    repository_id: Uuid,
    part: &str,
    by_name: bool,
    but: Option<&str>,
    offset: u64,
    limit: u64,
) -> Result<Vec<String>> {
    let mut query = shown(repository_id, part).select_only().column(tag::Column::Digest).group_by(tag::Column::Digest);
    if let Some(but) = but {
        query = query.filter(tag::Column::Digest.ne(but));
    }
    if !by_name {
        query = query.order_by(tag::Column::UpdatedAt.max(), Order::Desc);
    }
    let query = query.order_by(tag::Column::Name.min(), Order::Asc);
    Ok(query.offset(offset).limit(limit).into_tuple().all(c.connection()).await?)
}

/// Some of the tags on a digest that people see for `part`: by name, or those first that moved last.
pub async fn tags(
    c: &impl Ask,
    (repository_id, digest): (Uuid, &str),
    part: &str,
    by_name: bool,
    offset: u64,
    limit: u64,
) -> Result<Vec<rows::Tag>> {
    let query = shown(repository_id, part).filter(tag::Column::Digest.eq(digest));
    let query = if by_name { query } else { query.order_by_desc(tag::Column::UpdatedAt) };
    Ok(query.order_by_asc(tag::Column::Name).offset(offset).limit(limit).all(c.connection()).await?)
}

/// How many tags on a digest people see.
pub async fn count_tags(c: &impl Ask, repository_id: Uuid, digest: &str) -> Result<u64> {
    Ok(shown(repository_id, "").filter(tag::Column::Digest.eq(digest)).count(c.connection()).await?)
}

/// Names and digests of all tags that people see for `part`.
pub async fn names(c: &impl Ask, repository_id: Uuid, part: &str) -> Result<Vec<(String, String)>> {
    let query = shown(repository_id, part).select_only().column(tag::Column::Name).column(tag::Column::Digest);
    Ok(query.into_tuple().all(c.connection()).await?)
}
