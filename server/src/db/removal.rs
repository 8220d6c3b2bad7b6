//! What belongs to a repository that is being deleted, a bounded number of rows at a time.
//!
//! Each question removes at most `limit` rows, children before what they refer to: one statement of a cascade would
//! hold SQLite's only writer for as long as the repository is large.

use super::entity::builds::{allowed_base, build, build_attempt, build_step, log_batch, material, sealed_log};
use super::entity::registry::{manifest, manifest_edge, repository, repository_blob, tag, tag_move, upload};
use super::{Ask, BuildState, RepositoryState, Tx, objects, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Removes at most `limit` rows of a table whose `column` holds one of `ids`.
async fn some<E>(tx: &Tx, key: E::Column, column: E::Column, ids: &[Uuid], limit: u64) -> Result<u64>
where
    E: EntityTrait,
{
    let found: Vec<Uuid> = E::find()
        .select_only()
        .column(key)
        .filter(column.is_in(ids.iter().copied()))
        .limit(limit)
        .into_tuple()
        .all(tx.connection())
        .await?;
    if found.is_empty() {
        return Ok(0);
    }
    Ok(E::delete_many().filter(key.is_in(found)).exec(tx.connection()).await?.rows_affected)
}

/// The next builds of the repository, and their attempts.
pub async fn next_builds(c: &impl Ask, repository_id: Uuid, limit: u64) -> Result<(Vec<Uuid>, Vec<Uuid>)> {
    let builds: Vec<Uuid> = build::Entity::find()
        .select_only()
        .column(build::Column::Id)
        .filter(build::Column::RepositoryId.eq(repository_id))
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?;
    let attempts = build_attempt::Entity::find()
        .select_only()
        .column(build_attempt::Column::Id)
        .filter(build_attempt::Column::BuildId.is_in(builds.iter().copied()))
        .into_tuple()
        .all(c.connection())
        .await?;
    Ok((builds, attempts))
}

/// Builds of the repository that wait or run.
pub async fn open_builds(tx: &Tx, repository_id: Uuid, limit: u64) -> Result<Vec<rows::Build>> {
    let mut query = build::Entity::find()
        .filter(build::Column::RepositoryId.eq(repository_id))
        .filter(build::Column::State.is_in([BuildState::Queued, BuildState::Running]))
        .order_by_asc(build::Column::Id)
        .limit(limit);
    if tx.is_postgres() {
        query = query.lock_exclusive();
    }
    Ok(query.all(tx.connection()).await?)
}

/// Some of the log of these attempts; sealed ones may go from storage from `remove_at` on.
pub async fn logs(tx: &Tx, attempts: &[Uuid], limit: u64, remove_at: Millis) -> Result<u64> {
    let sealed: Vec<rows::SealedLog> = sealed_log::Entity::find()
        .filter(sealed_log::Column::AttemptId.is_in(attempts.iter().copied()))
        .limit(limit)
        .all(tx.connection())
        .await?;
    if !sealed.is_empty() {
        let gone = sealed_log::Entity::delete_many().filter(sealed_log::Column::Id.is_in(sealed.iter().map(|l| l.id)));
        let gone = gone.exec(tx.connection()).await?.rows_affected;
        let keys: Vec<_> = sealed.into_iter().map(|log| log.storage_key).collect();
        objects::release(tx, &keys, remove_at).await?;
        return Ok(gone);
    }
    // A batch may have 4 MiB.
    let few = (limit / 10).max(1);
    some::<log_batch::Entity>(tx, log_batch::Column::Id, log_batch::Column::AttemptId, attempts, few).await
}

/// Some of the steps of these attempts.
pub async fn steps(tx: &Tx, attempts: &[Uuid], limit: u64) -> Result<u64> {
    some::<build_step::Entity>(tx, build_step::Column::Id, build_step::Column::AttemptId, attempts, limit).await
}

/// Some of the materials of these builds.
pub async fn materials(tx: &Tx, builds: &[Uuid], limit: u64) -> Result<u64> {
    some::<material::Entity>(tx, material::Column::Id, material::Column::BuildId, builds, limit).await
}

/// These builds, whose logs, steps and materials are gone, with their attempts.
pub async fn builds(tx: &Tx, builds: &[Uuid], attempts: &[Uuid]) -> Result<()> {
    let attempts = build_attempt::Column::Id.is_in(attempts.iter().copied());
    build_attempt::Entity::delete_many().filter(attempts).exec(tx.connection()).await?;
    build::Entity::delete_many().filter(build::Column::Id.is_in(builds.iter().copied())).exec(tx.connection()).await?;
    Ok(())
}

/// Some uploads, with their locks; their bytes may go from `remove_at` on.
pub async fn uploads(tx: &Tx, repository_id: Uuid, limit: u64, remove_at: Millis) -> Result<u64> {
    let found: Vec<rows::Upload> = upload::Entity::find()
        .filter(upload::Column::RepositoryId.eq(repository_id))
        .limit(limit)
        .all(tx.connection())
        .await?;
    let gone = upload::Entity::delete_many().filter(upload::Column::Id.is_in(found.iter().map(|u| u.id)));
    let gone = gone.exec(tx.connection()).await?.rows_affected;
    let keys: Vec<_> = found.into_iter().map(|upload| upload.storage_key).collect();
    objects::release(tx, &keys, remove_at).await?;
    Ok(gone)
}

/// Some of what lies in the repository itself, in the order in which it may go; 0 when nothing is left.
pub async fn content(tx: &Tx, repository_id: Uuid, limit: u64) -> Result<u64> {
    let of = &[repository_id];
    let tags = some::<tag::Entity>(tx, tag::Column::Id, tag::Column::RepositoryId, of, limit).await?;
    if tags > 0 {
        return Ok(tags);
    }
    let moves = some::<tag_move::Entity>(tx, tag_move::Column::Id, tag_move::Column::RepositoryId, of, limit).await?;
    if moves > 0 {
        return Ok(moves);
    }
    let manifests = manifests(tx, repository_id, limit).await?;
    if manifests > 0 {
        return Ok(manifests);
    }
    let (id, column) = (repository_blob::Column::Id, repository_blob::Column::RepositoryId);
    let links = some::<repository_blob::Entity>(tx, id, column, of, limit).await?;
    if links > 0 {
        return Ok(links);
    }
    // What it builds on goes with its row; what builds on it may be many.
    some::<allowed_base::Entity>(tx, allowed_base::Column::Id, allowed_base::Column::BaseId, of, limit).await
}

/// Some manifests, or some descriptors of those that are next: one manifest may have thousands, or 4 MiB.
async fn manifests(tx: &Tx, repository_id: Uuid, limit: u64) -> Result<u64> {
    let next: Vec<Uuid> = manifest::Entity::find()
        .select_only()
        .column(manifest::Column::Id)
        .filter(manifest::Column::RepositoryId.eq(repository_id))
        .limit((limit / 10).max(1))
        .into_tuple()
        .all(tx.connection())
        .await?;
    let (id, column) = (manifest_edge::Column::Id, manifest_edge::Column::ManifestId);
    let edges = some::<manifest_edge::Entity>(tx, id, column, &next, limit).await?;
    if edges == limit {
        return Ok(edges);
    }
    let gone = manifest::Entity::delete_many().filter(manifest::Column::Id.is_in(next));
    Ok(gone.exec(tx.connection()).await?.rows_affected + edges)
}

/// The row of a repository that is being deleted and has nothing left; false when something came in meanwhile.
pub async fn repository(tx: &Tx, id: Uuid) -> Result<bool> {
    let mut query = repository::Entity::find_by_id(id).filter(repository::Column::State.eq(RepositoryState::Deleting));
    if tx.is_postgres() {
        // Nobody inserts a row that refers to it from here on.
        query = query.lock(LockType::Update);
    }
    if query.one(tx.connection()).await?.is_none() {
        return Ok(true);
    }
    let builds = build::Entity::find().filter(build::Column::RepositoryId.eq(id)).one(tx.connection()).await?;
    let uploads = upload::Entity::find().filter(upload::Column::RepositoryId.eq(id)).one(tx.connection()).await?;
    if builds.is_some() || uploads.is_some() {
        return Ok(false);
    }
    repository::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(true)
}
