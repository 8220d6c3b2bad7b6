//! Questions about the descriptors in manifests, answered without a manifest's body.

use super::entity::registry::{blob, manifest, manifest_edge, repository_blob};
use super::{Ask, BlobState, EdgeKind, rows};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Order, Query};
use sea_orm::{FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _};
use std::collections::HashMap;
use uuid::Uuid;

/// What BuildKit gives the platform of attestations: facts of their platform, no platform.
const NO_PLATFORM: &str = "unknown/unknown";
/// Foreign layers lie elsewhere; the manifests that name them were looked at when they came.
const FOREIGN: [&str; 2] =
    ["application/vnd.docker.image.rootfs.foreign.%", "application/vnd.oci.image.layer.nondistributable.%"];

/// One platform's manifest in an index.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Child {
    pub digest: String,
    /// `linux/amd64`; `None` when the index does not say.
    pub platform: Option<String>,
}

fn of(manifest_id: Uuid) -> Select<manifest_edge::Entity> {
    manifest_edge::Entity::find().filter(manifest_edge::Column::ManifestId.eq(manifest_id))
}

fn platforms_of(manifest_id: Uuid) -> Select<manifest_edge::Entity> {
    let is_platform = Condition::any()
        .add(manifest_edge::Column::Platform.is_null())
        .add(manifest_edge::Column::Platform.ne(NO_PLATFORM));
    of(manifest_id).filter(manifest_edge::Column::Kind.eq(EdgeKind::Manifest)).filter(is_platform)
}

/// The first platforms of an index, each child once, in the order of the index.
pub async fn platforms(c: &impl Ask, manifest_id: Uuid, limit: u64) -> Result<Vec<Child>> {
    Ok(platforms_of(manifest_id)
        .select_only()
        .column(manifest_edge::Column::Digest)
        .column_as(manifest_edge::Column::Platform.min(), "platform")
        .group_by(manifest_edge::Column::Digest)
        .order_by(manifest_edge::Column::Position.min(), Order::Asc)
        .limit(limit)
        .into_model()
        .all(c.connection())
        .await?)
}

/// How many platforms an index has, each child once.
pub async fn count_platforms(c: &impl Ask, manifest_id: Uuid) -> Result<u64> {
    let distinct = Expr::col(manifest_edge::Column::Digest).count_distinct();
    let query = platforms_of(manifest_id).select_only().column_as(distinct, "n");
    let found: Option<i64> = query.into_tuple().one(c.connection()).await?;
    Ok(found.and_then(|n| u64::try_from(n).ok()).unwrap_or_default())
}

/// What pulls of the smallest and the largest platform of an index move; `None` for one without platforms.
pub async fn platform_sizes(c: &impl Ask, repository_id: Uuid, manifest_id: Uuid) -> Result<Option<(i64, i64)>> {
    let digests = platforms_of(manifest_id).select_only().column(manifest_edge::Column::Digest).into_query();
    let query = manifest::Entity::find()
        .select_only()
        .column_as(manifest::Column::ImageSizeBytes.min(), "least")
        .column_as(manifest::Column::ImageSizeBytes.max(), "most")
        .filter(manifest::Column::RepositoryId.eq(repository_id))
        .filter(manifest::Column::Digest.in_subquery(digests));
    let found: Option<(Option<i64>, Option<i64>)> = query.into_tuple().one(c.connection()).await?;
    Ok(found.and_then(|(least, most)| Some((least?, most?))))
}

/// Whether an index names something of this media type, be it a manifest or, as in caches of builds, a blob.
pub async fn names_type(c: &impl Ask, manifest_id: Uuid, media_type: &str) -> Result<bool> {
    let found = of(manifest_id)
        .filter(manifest_edge::Column::Kind.is_in([EdgeKind::Manifest, EdgeKind::Blob]))
        .filter(manifest_edge::Column::MediaType.eq(media_type));
    Ok(found.one(c.connection()).await?.is_some())
}

/// Digests of all children of an index, each once, attestations too.
pub async fn children(c: &impl Ask, manifest_id: Uuid, limit: u64) -> Result<Vec<String>> {
    Ok(of(manifest_id)
        .filter(manifest_edge::Column::Kind.eq(EdgeKind::Manifest))
        .select_only()
        .column(manifest_edge::Column::Digest)
        .distinct()
        .limit(limit)
        .into_tuple()
        .all(c.connection())
        .await?)
}

/// The digest of an image's config.
pub async fn config(c: &impl Ask, manifest_id: Uuid) -> Result<Option<String>> {
    Ok(of(manifest_id)
        .filter(manifest_edge::Column::Kind.eq(EdgeKind::Config))
        .select_only()
        .column(manifest_edge::Column::Digest)
        .into_tuple()
        .one(c.connection())
        .await?)
}

fn is_layer() -> Expr {
    manifest_edge::Column::Kind.is_in([EdgeKind::Layer, EdgeKind::Blob])
}

/// The first layers of an image, bottom first.
pub async fn layers(c: &impl Ask, manifest_id: Uuid, limit: u64) -> Result<Vec<rows::Edge>> {
    let query = of(manifest_id).filter(is_layer()).order_by_asc(manifest_edge::Column::Position);
    Ok(query.limit(limit).all(c.connection()).await?)
}

/// How many layers these images have; none is listed for one without.
pub async fn count_layers(c: &impl Ask, manifest_ids: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let query = manifest_edge::Entity::find()
        .filter(manifest_edge::Column::ManifestId.is_in(manifest_ids.iter().copied()))
        .filter(is_layer())
        .select_only()
        .column(manifest_edge::Column::ManifestId)
        .column_as(manifest_edge::Column::Id.count(), "n")
        .group_by(manifest_edge::Column::ManifestId);
    let found: Vec<(Uuid, i64)> = query.into_tuple().all(c.connection()).await?;
    Ok(found.into_iter().collect())
}

/// A blob that a manifest names and its repository does not link.
pub async fn absent_blob(c: &impl Ask, repository_id: Uuid, manifest_id: Uuid) -> Result<Option<String>> {
    let linked = Query::select()
        .expr(Expr::val(1))
        .from(repository_blob::Entity)
        .inner_join(
            blob::Entity,
            Expr::col((blob::Entity, blob::Column::Id))
                .equals((repository_blob::Entity, repository_blob::Column::BlobId)),
        )
        .and_where(repository_blob::Column::RepositoryId.eq(repository_id))
        .and_where(blob::Column::State.ne(BlobState::Deleting))
        .and_where(
            Expr::col((blob::Entity, blob::Column::Digest))
                .equals((manifest_edge::Entity, manifest_edge::Column::Digest)),
        )
        .to_owned();
    let mut query = of(manifest_id)
        .filter(manifest_edge::Column::Kind.ne(EdgeKind::Manifest))
        .filter(Expr::exists(linked).not())
        .select_only()
        .column(manifest_edge::Column::Digest);
    for foreign in FOREIGN {
        query = query.filter(manifest_edge::Column::MediaType.not_like(foreign));
    }
    Ok(query.into_tuple().one(c.connection()).await?)
}

#[cfg(test)]
pub(crate) async fn count_all(c: &impl Ask) -> u64 {
    manifest_edge::Entity::find().count(c.connection()).await.unwrap()
}
