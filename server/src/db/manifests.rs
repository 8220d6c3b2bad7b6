//! Manifests and the descriptors in them.

use super::entity::registry::{manifest, manifest_edge};
use super::{Ask, EdgeKind, OnConstraint, PrincipalKind, Tx, rows};
use crate::error::{Error, Result};
use crate::names::Digest;
use sea_orm::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub async fn find(c: &impl Ask, repository_id: Uuid, digest: &str) -> Result<Option<rows::Manifest>> {
    Ok(manifest::Entity::find()
        .filter(manifest::Column::RepositoryId.eq(repository_id))
        .filter(manifest::Column::Digest.eq(digest))
        .one(c.connection())
        .await?)
}

/// As `find`, unless the body is larger than `limit` bytes.
pub async fn find_small(c: &impl Ask, repository_id: Uuid, digest: &str, limit: i64) -> Result<Option<rows::Manifest>> {
    Ok(manifest::Entity::find()
        .filter(manifest::Column::RepositoryId.eq(repository_id))
        .filter(manifest::Column::Digest.eq(digest))
        .filter(manifest::Column::SizeBytes.lte(limit))
        .one(c.connection())
        .await?)
}

/// What is told of a manifest without its body, which may have 4 MiB.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Facts {
    pub id: Uuid,
    pub digest: String,
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub size_bytes: i64,
    pub image_size_bytes: i64,
    pub attempt_id: Option<Uuid>,
    pub created_at: i64,
    /// Of an index: what a pull of its smallest platform moves.
    pub platform_least_bytes: Option<i64>,
    /// And of its largest one.
    pub platform_most_bytes: Option<i64>,
}

fn facts_of(repository_id: Uuid) -> Select<manifest::Entity> {
    manifest::Entity::find()
        .select_only()
        .columns([
            manifest::Column::Id,
            manifest::Column::Digest,
            manifest::Column::MediaType,
            manifest::Column::ArtifactType,
            manifest::Column::SizeBytes,
            manifest::Column::ImageSizeBytes,
            manifest::Column::AttemptId,
            manifest::Column::CreatedAt,
            manifest::Column::PlatformLeastBytes,
            manifest::Column::PlatformMostBytes,
        ])
        .filter(manifest::Column::RepositoryId.eq(repository_id))
}

/// One manifest without its body.
pub async fn find_facts(c: &impl Ask, repository_id: Uuid, digest: &str) -> Result<Option<Facts>> {
    let query = facts_of(repository_id).filter(manifest::Column::Digest.eq(digest));
    Ok(query.into_model().one(c.connection()).await?)
}

/// Those of `digests` that the repository has, without their bodies.
pub async fn facts(c: &impl Ask, repository_id: Uuid, digests: &[String]) -> Result<Vec<Facts>> {
    let mut found = Vec::new();
    for some in digests.chunks(500) {
        let query = facts_of(repository_id).filter(manifest::Column::Digest.is_in(some));
        found.extend(query.into_model().all(c.connection()).await?);
    }
    Ok(found)
}

/// Those of `digests` that the repository has, with the digest that each refers to.
pub async fn subjects(c: &impl Ask, repository_id: Uuid, digests: &[String]) -> Result<Vec<(String, Option<String>)>> {
    let mut found = Vec::new();
    for some in digests.chunks(500) {
        let query = manifest::Entity::find()
            .select_only()
            .columns([manifest::Column::Digest, manifest::Column::SubjectDigest])
            .filter(manifest::Column::RepositoryId.eq(repository_id))
            .filter(manifest::Column::Digest.is_in(some));
        found.extend(query.into_tuple::<(String, Option<String>)>().all(c.connection()).await?);
    }
    Ok(found)
}

/// Those of `digests` that the repository has, by digest; the caller knows that they are not too large together.
pub async fn find_all(c: &impl Ask, repository_id: Uuid, digests: &[String]) -> Result<Vec<rows::Manifest>> {
    let mut found = Vec::new();
    for some in digests.chunks(500) {
        found.extend(
            manifest::Entity::find()
                .filter(manifest::Column::RepositoryId.eq(repository_id))
                .filter(manifest::Column::Digest.is_in(some))
                .order_by_asc(manifest::Column::Digest)
                .all(c.connection())
                .await?,
        );
    }
    Ok(found)
}

/// Manifests whose `subject` is `digest`, of this type if one is named, by digest from `after` on.
pub async fn referrers(
    c: &impl Ask,
    repository_id: Uuid,
    digest: &Digest,
    artifact_type: Option<&str>,
    after: &str,
    limit: u64,
) -> Result<Vec<Facts>> {
    let mut query = facts_of(repository_id)
        .filter(manifest::Column::SubjectDigest.eq(digest.as_str()))
        .filter(manifest::Column::Digest.gt(after));
    if let Some(artifact_type) = artifact_type {
        query = query.filter(manifest::Column::ArtifactType.eq(artifact_type));
    }
    Ok(query.order_by_asc(manifest::Column::Digest).limit(limit).into_model().all(c.connection()).await?)
}

/// Manifests about `digest` that the server made, of this type if one is named, the newest first.
pub async fn own_referrers(
    c: &impl Ask,
    repository_id: Uuid,
    digest: &Digest,
    artifact_type: Option<&str>,
    limit: u64,
) -> Result<Vec<Facts>> {
    let mut query = facts_of(repository_id)
        .filter(manifest::Column::SubjectDigest.eq(digest.as_str()))
        .filter(manifest::Column::PrincipalKind.eq(PrincipalKind::System));
    if let Some(artifact_type) = artifact_type {
        query = query.filter(manifest::Column::ArtifactType.eq(artifact_type));
    }
    Ok(query.order_by_desc(manifest::Column::Id).limit(limit).into_model().all(c.connection()).await?)
}

/// A manifest about another one.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Referrer {
    pub subject_digest: String,
    pub digest: String,
    pub artifact_type: Option<String>,
}

/// The manifests of these artifact types whose `subject` is one of `digests`, without their bodies:
/// of each subject those first that the server made, the newest first. At most as many as a page lists are asked about.
pub async fn referrers_of_type(
    c: &impl Ask,
    repository_id: Uuid,
    digests: &[Digest],
    types: &[&str],
    limit: u64,
) -> Result<Vec<Referrer>> {
    Ok(manifest::Entity::find()
        .select_only()
        .column(manifest::Column::SubjectDigest)
        .column(manifest::Column::Digest)
        .column(manifest::Column::ArtifactType)
        .filter(manifest::Column::RepositoryId.eq(repository_id))
        .filter(manifest::Column::SubjectDigest.is_in(digests.iter().map(Digest::as_str)))
        .filter(manifest::Column::ArtifactType.is_in(types.iter().copied()))
        .order_by_asc(manifest::Column::SubjectDigest)
        .order_by_desc(manifest::Column::PrincipalKind.eq(PrincipalKind::System))
        .order_by_desc(manifest::Column::Id)
        .limit(limit)
        .into_model()
        .all(c.connection())
        .await?)
}

pub async fn insert(tx: &Tx, row: rows::Manifest, edges: Vec<rows::Edge>) -> Result<()> {
    row.into_active_model()
        .reset_all()
        .insert(tx.connection())
        .await
        .on_unique("manifest_repository_id_digest", || {
            Error::Conflict("this manifest is being pushed twice at once".into())
        })?;
    let edges: Vec<manifest_edge::ActiveModel> = edges.into_iter().map(|e| e.into_active_model().reset_all()).collect();
    for some in edges.chunks(100) {
        manifest_edge::Entity::insert_many(some.to_vec()).exec_without_returning(tx.connection()).await?;
    }
    Ok(())
}

/// Notes how much pulls of the platforms of an index move, the least and the most.
pub async fn note_platform_sizes(tx: &Tx, id: Uuid, (least, most): (i64, i64)) -> Result<()> {
    manifest::Entity::update_many()
        .col_expr(manifest::Column::PlatformLeastBytes, Expr::value(least))
        .col_expr(manifest::Column::PlatformMostBytes, Expr::value(most))
        .filter(manifest::Column::Id.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Notes what it is pushed as: bytes that do not name their own type have that of the last push.
pub async fn set_type(tx: &Tx, id: Uuid, media_type: &str, artifact_type: Option<&str>) -> Result<()> {
    let row = manifest::ActiveModel {
        id: sea_orm::ActiveValue::Set(id),
        media_type: sea_orm::ActiveValue::Set(media_type.to_owned()),
        artifact_type: sea_orm::ActiveValue::Set(artifact_type.map(str::to_owned)),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// Notes who pushed it again: a build signs only what its own attempt pushed.
pub async fn set_attempt(tx: &Tx, id: Uuid, attempt_id: Uuid) -> Result<()> {
    let row = manifest::ActiveModel {
        id: sea_orm::ActiveValue::Set(id),
        attempt_id: sea_orm::ActiveValue::Set(Some(attempt_id)),
        ..Default::default()
    };
    row.update(tx.connection()).await?;
    Ok(())
}

/// The manifest of a descriptor in the repository that is of one of these kinds and names `digest`.
///
/// One row of an index answers, whatever other repositories hold and however often the digest is named: deletions ask
/// while they are the only writer.
async fn naming(c: &impl Ask, repository_id: Uuid, digest: &Digest, kinds: &[EdgeKind]) -> Result<Option<Uuid>> {
    for kind in kinds {
        let found = manifest_edge::Entity::find()
            .select_only()
            .column(manifest_edge::Column::ManifestId)
            .filter(manifest_edge::Column::RepositoryId.eq(repository_id))
            .filter(manifest_edge::Column::Digest.eq(digest.as_str()))
            .filter(manifest_edge::Column::Kind.eq(*kind))
            .into_tuple()
            .one(c.connection())
            .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether an index in the repository names `digest` as a child.
pub async fn has_parent(c: &impl Ask, repository_id: Uuid, digest: &Digest) -> Result<bool> {
    Ok(naming(c, repository_id, digest, &[EdgeKind::Manifest]).await?.is_some())
}

/// Digest of a manifest in the repository that names the blob `digest`.
pub async fn that_needs(c: &impl Ask, repository_id: Uuid, digest: &Digest) -> Result<Option<String>> {
    let kinds = [EdgeKind::Config, EdgeKind::Layer, EdgeKind::Blob];
    let Some(id) = naming(c, repository_id, digest, &kinds).await? else { return Ok(None) };
    let digest = manifest::Entity::find_by_id(id).select_only().column(manifest::Column::Digest);
    Ok(digest.into_tuple().one(c.connection()).await?)
}

pub async fn delete(tx: &Tx, id: Uuid) -> Result<()> {
    manifest::Entity::delete_by_id(id).exec(tx.connection()).await?;
    Ok(())
}

/// Whether a manifest in the repository holds a sigstore bundle about `digest`.
///
/// One row of an index answers, however many others refer to it: signatures are stored behind this question.
pub async fn has_bundle(c: &impl Ask, repository_id: Uuid, digest: &str) -> Result<bool> {
    let bundle = manifest::Entity::find().select_only().column(manifest::Column::Id);
    let bundle = bundle.filter(manifest::Column::RepositoryId.eq(repository_id));
    let found: Option<Uuid> =
        bundle.filter(manifest::Column::BundleOf.eq(digest)).into_tuple().one(c.connection()).await?;
    Ok(found.is_some())
}

/// Deletes all referrers of a manifest.
#[cfg(test)]
pub(crate) async fn delete_by_subject(tx: &Tx, repository_id: Uuid, subject: &Digest) {
    let referrers = manifest::Entity::delete_many()
        .filter(manifest::Column::RepositoryId.eq(repository_id))
        .filter(manifest::Column::SubjectDigest.eq(subject.as_str()));
    referrers.exec(tx.connection()).await.unwrap();
}
