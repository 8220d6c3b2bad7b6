//! How far the images of a namespace are signed again with its present key, and which images there are.

use super::entity::builds::build;
use super::entity::operations::{signing_key, signing_run};
use super::entity::registry::{manifest, repository, tag};
use super::{Ask, BuildState, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query, SelectStatement};
use sea_orm::{Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeSet;
use uuid::Uuid;

pub async fn find(c: &impl Ask, namespace_id: Uuid) -> Result<Option<rows::SigningRun>> {
    Ok(signing_run::Entity::find()
        .filter(signing_run::Column::NamespaceId.eq(namespace_id))
        .one(c.connection())
        .await?)
}

/// Namespaces that are not through.
pub async fn unfinished(c: &impl Ask) -> Result<Vec<Uuid>> {
    Ok(signing_run::Entity::find()
        .select_only()
        .column(signing_run::Column::NamespaceId)
        .filter(signing_run::Column::FinishedAt.is_null())
        .order_by_asc(signing_run::Column::StartedAt)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// Begins again in the place of the namespace's run before.
pub async fn begin(tx: &Tx, row: rows::SigningRun) -> Result<()> {
    signing_run::Entity::delete_many()
        .filter(signing_run::Column::NamespaceId.eq(row.namespace_id))
        .exec(tx.connection())
        .await?;
    signing_run::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// What one step of a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    pub looked: i64,
    pub signed: i64,
    pub skipped: i64,
}

/// Notes a step that went from `from` to `to`; false when another one took that step, or the run was replaced.
pub async fn advance(tx: &Tx, run: &rows::SigningRun, to: Uuid, step: Step) -> Result<bool> {
    let mut query = signing_run::Entity::update_many()
        .col_expr(signing_run::Column::Cursor, Expr::value(to))
        .col_expr(signing_run::Column::Looked, Expr::value(run.looked + step.looked))
        .col_expr(signing_run::Column::Signed, Expr::value(run.signed + step.signed))
        .col_expr(signing_run::Column::Skipped, Expr::value(run.skipped + step.skipped))
        .filter(signing_run::Column::Id.eq(run.id))
        .filter(signing_run::Column::FinishedAt.is_null());
    query = match run.cursor {
        Some(cursor) => query.filter(signing_run::Column::Cursor.eq(cursor)),
        None => query.filter(signing_run::Column::Cursor.is_null()),
    };
    Ok(query.exec(tx.connection()).await?.rows_affected == 1)
}

/// Ends a run; false when it was ended or replaced.
pub async fn finish(tx: &Tx, id: Uuid, now: Millis) -> Result<bool> {
    let ended = signing_run::Entity::update_many()
        .col_expr(signing_run::Column::FinishedAt, Expr::value(now))
        .filter(signing_run::Column::Id.eq(id))
        .filter(signing_run::Column::FinishedAt.is_null())
        .exec(tx.connection())
        .await?;
    Ok(ended.rows_affected == 1)
}

/// A manifest that may be signed: its id, repository and digest.
pub type Candidate = (Uuid, Uuid, String);

fn repositories(namespace_id: Uuid) -> SelectStatement {
    Query::select()
        .column(repository::Column::Id)
        .from(repository::Entity)
        .and_where(repository::Column::NamespaceId.eq(namespace_id))
        .to_owned()
}

fn of_namespace(namespace_id: Uuid, but_type: &str) -> Select<manifest::Entity> {
    let other = manifest::Column::ArtifactType.is_null().or(manifest::Column::ArtifactType.ne(but_type));
    manifest::Entity::find()
        .filter(manifest::Column::RepositoryId.in_subquery(repositories(namespace_id)))
        .filter(other)
}

/// Manifests of a namespace after `after`, oldest first, without those of an artifact type.
pub async fn candidates(
    c: &impl Ask,
    namespace_id: Uuid,
    but_type: &str,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Candidate>> {
    let mut query = of_namespace(namespace_id, but_type).select_only().columns([
        manifest::Column::Id,
        manifest::Column::RepositoryId,
        manifest::Column::Digest,
    ]);
    if let Some(after) = after {
        query = query.filter(manifest::Column::Id.gt(after));
    }
    Ok(query.order_by_asc(manifest::Column::Id).limit(limit).into_tuple().all(c.connection()).await?)
}

pub async fn count_candidates(c: &impl Ask, namespace_id: Uuid, but_type: &str) -> Result<i64> {
    let count = of_namespace(namespace_id, but_type).count(c.connection()).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Those of `digests` that builds of the repository made, and so the server signed.
pub async fn built(c: &impl Ask, repository_id: Uuid, digests: &[String]) -> Result<BTreeSet<String>> {
    let mut built = BTreeSet::new();
    for some in digests.chunks(500) {
        let found = build::Entity::find()
            .select_only()
            .column(build::Column::Digest)
            .distinct()
            .filter(build::Column::RepositoryId.eq(repository_id))
            .filter(build::Column::Digest.is_in(some))
            .filter(build::Column::State.eq(BuildState::Succeeded));
        built.extend(found.into_tuple::<String>().all(c.connection()).await?);
    }
    Ok(built)
}

/// Namespaces without a key of their own in which something may be signed: a tag of signatures, or a signature's manifest.
pub async fn namespaces_without_key(c: &impl Ask, artifact_type: &str) -> Result<Vec<Uuid>> {
    let tagged = Query::select()
        .column(tag::Column::RepositoryId)
        .from(tag::Entity)
        .and_where(Expr::col(tag::Column::Name).like(format!("{}%.sig", super::tags::ACCESSORY_PREFIX)))
        .to_owned();
    let signed = Query::select()
        .column(manifest::Column::RepositoryId)
        .from(manifest::Entity)
        .and_where(Expr::col(manifest::Column::ArtifactType).eq(artifact_type))
        .to_owned();
    let keyed = Query::select()
        .column(signing_key::Column::NamespaceId)
        .from(signing_key::Entity)
        .and_where(Expr::col(signing_key::Column::NamespaceId).is_not_null())
        .to_owned();
    let some = Condition::any()
        .add(repository::Column::Id.in_subquery(tagged))
        .add(repository::Column::Id.in_subquery(signed));
    Ok(repository::Entity::find()
        .select_only()
        .column(repository::Column::NamespaceId)
        .distinct()
        .filter(some)
        .filter(repository::Column::NamespaceId.not_in_subquery(keyed))
        .into_tuple()
        .all(c.connection())
        .await?)
}
