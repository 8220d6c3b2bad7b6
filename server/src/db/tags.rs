//! Tags: the present, and every move.

pub mod digests;

use super::entity::registry::{tag, tag_move};
use super::search::{begins, contains};
use super::{Ask, Tx, rows};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Tags that cosign makes for signatures and attestations: facts of another image, never rows on a page.
pub const ACCESSORY_PREFIX: &str = "sha256-";

/// `LIKE` of `names::TagName::is_accessory`, as near as that can say it: any 64 characters in the place of hex digits.
fn accessories() -> String {
    format!("{ACCESSORY_PREFIX}{}%", "_".repeat(64))
}

pub async fn find(c: &impl Ask, repository_id: Uuid, name: &str) -> Result<Option<rows::Tag>> {
    Ok(tag::Entity::find()
        .filter(tag::Column::RepositoryId.eq(repository_id))
        .filter(tag::Column::Name.eq(name))
        .one(c.connection())
        .await?)
}

/// Those of `names` that the repository has.
pub async fn find_all(c: &impl Ask, repository_id: Uuid, names: &[String]) -> Result<Vec<rows::Tag>> {
    let mut found = Vec::new();
    for some in names.chunks(500) {
        let query = tag::Entity::find()
            .filter(tag::Column::RepositoryId.eq(repository_id))
            .filter(tag::Column::Name.is_in(some));
        found.extend(query.all(c.connection()).await?);
    }
    Ok(found)
}

/// Names after `after`, in byte order.
pub async fn names(c: &impl Ask, repository_id: Uuid, after: &str, limit: u64) -> Result<Vec<String>> {
    Ok(tag::Entity::find()
        .select_only()
        .column(tag::Column::Name)
        .filter(tag::Column::RepositoryId.eq(repository_id))
        .filter(tag::Column::Name.gt(after))
        .order_by_asc(tag::Column::Name)
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Tags as people see them (no accessories): `part` occurs in the name, or the digest begins with it.
fn shown(repository_id: Uuid, part: &str) -> Select<tag::Entity> {
    let query = tag::Entity::find()
        .filter(tag::Column::RepositoryId.eq(repository_id))
        .filter(tag::Column::Name.not_like(accessories()));
    if part.is_empty() {
        return query;
    }
    // No name of a tag has a colon.
    let digest = if part.contains(':') { part.to_owned() } else { format!("sha256:{part}") };
    query.filter(Condition::any().add(contains(tag::Column::Name, part)).add(begins(tag::Column::Digest, &digest)))
}

/// How many tags people see for `part`.
pub async fn count(c: &impl Ask, repository_id: Uuid, part: &str) -> Result<u64> {
    Ok(shown(repository_id, part).count(c.connection()).await?)
}

/// The tag that people see and that moved last.
pub async fn newest(c: &impl Ask, repository_id: Uuid) -> Result<Option<rows::Tag>> {
    let newest = shown(repository_id, "").order_by_desc(tag::Column::UpdatedAt).order_by_asc(tag::Column::Name);
    Ok(newest.limit(1).one(c.connection()).await?)
}

fn on_digest(repository_id: Uuid, digest: &str) -> Select<tag::Entity> {
    tag::Entity::find().filter(tag::Column::RepositoryId.eq(repository_id)).filter(tag::Column::Digest.eq(digest))
}

/// The first tags on a digest, by name.
pub async fn of_digest(c: &impl Ask, repository_id: Uuid, digest: &str, limit: u64) -> Result<Vec<rows::Tag>> {
    let query = on_digest(repository_id, digest).order_by_asc(tag::Column::Name);
    Ok(query.limit(limit).all(c.connection()).await?)
}

/// How many tags a digest has.
pub async fn count_of_digest(c: &impl Ask, repository_id: Uuid, digest: &str) -> Result<u64> {
    Ok(on_digest(repository_id, digest).count(c.connection()).await?)
}

/// Sets a tag, whatever it was.
pub async fn put(tx: &Tx, row: rows::Tag) -> Result<()> {
    let changed = [
        tag::Column::Digest,
        tag::Column::BuildId,
        tag::Column::SourceId,
        tag::Column::RefName,
        tag::Column::RefNumber,
        tag::Column::UpdatedAt,
    ];
    let conflict =
        OnConflict::columns([tag::Column::RepositoryId, tag::Column::Name]).update_columns(changed).to_owned();
    tag::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

pub async fn delete(tx: &Tx, id: Uuid) -> Result<()> {
    tag::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}

/// Deletes a few hundred tags.
pub async fn delete_all(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    tag::Entity::delete_many().filter(tag::Column::Id.is_in(ids.iter().copied())).exec(tx.connection()).await?;
    Ok(())
}

pub async fn add_moves(tx: &Tx, rows: Vec<rows::TagMove>) -> Result<()> {
    let rows: Vec<tag_move::ActiveModel> = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    for some in rows.chunks(100) {
        tag_move::Entity::insert_many(some.to_vec()).exec_without_returning(tx.connection()).await?;
    }
    Ok(())
}

pub async fn add_move(tx: &Tx, row: rows::TagMove) -> Result<()> {
    let row: tag_move::ActiveModel = row.into_active_model().reset_all();
    row.insert(tx.connection()).await?;
    Ok(())
}

/// The moves of a tag, newest first.
pub async fn moves(c: &impl Ask, repository_id: Uuid, name: &str, limit: u64) -> Result<Vec<rows::TagMove>> {
    Ok(tag_move::Entity::find()
        .filter(tag_move::Column::RepositoryId.eq(repository_id))
        .filter(tag_move::Column::Tag.eq(name))
        .order_by_desc(tag_move::Column::At)
        .order_by_desc(tag_move::Column::Id)
        .limit(limit)
        .all(c.connection())
        .await?)
}

/// How often a tag was moved.
pub async fn count_moves(c: &impl Ask, repository_id: Uuid, name: &str) -> Result<u64> {
    Ok(tag_move::Entity::find()
        .filter(tag_move::Column::RepositoryId.eq(repository_id))
        .filter(tag_move::Column::Tag.eq(name))
        .count(c.connection())
        .await?)
}

/// The tags that a build moved.
pub async fn moved_by_build(c: &impl Ask, build_id: Uuid) -> Result<Vec<rows::TagMove>> {
    Ok(tag_move::Entity::find().filter(tag_move::Column::BuildId.eq(build_id)).all(c.connection()).await?)
}

/// Whether a ref of a source was deleted there (or never seen).
pub async fn ref_is_gone(c: &impl Ask, source_id: Uuid, ref_name: &str) -> Result<bool> {
    use super::entity::sources::source_ref;
    let found = source_ref::Entity::find()
        .filter(source_ref::Column::SourceId.eq(source_id))
        .filter(source_ref::Column::Name.eq(ref_name))
        .one(c.connection())
        .await?;
    Ok(found.is_none_or(|r| r.deleted_at.is_some()))
}
