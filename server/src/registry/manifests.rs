//! Manifests.

use super::blobs::OwnBlob;
use crate::app::App;
use crate::db::{self, Tx, rows};
use crate::error::{Error, Result};
use crate::names::{Digest, TagName};
use crate::policy::Principal;
use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

/// Whether a manifest and all that it names came with the pushes of one attempt.
pub async fn check_pushed(app: &App, repository_id: Uuid, digest: &Digest, attempt_id: Uuid) -> Result<()> {
    match find(app, repository_id, digest).await? {
        Some(row) if row.attempt_id == Some(attempt_id) => Ok(()),
        _ => Err(Error::invalid("the image is not here as this attempt pushed it")),
    }
}

pub async fn find(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Option<rows::Manifest>> {
    db::manifests::find(&app.db, repository_id, digest.as_str()).await
}

pub async fn referrers(app: &App, repository_id: Uuid, subject: &Digest) -> Result<Vec<rows::Manifest>> {
    db::manifests::referrers(&app.db, repository_id, subject, "", 100).await
}

/// Stores a manifest of our own with its blobs.
pub async fn insert_own(
    app: &App,
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    blobs: &[OwnBlob],
    manifest: &Bytes,
    tag: Option<&TagName>,
) -> Result<Digest> {
    let now = app.clock.now();
    for blob in blobs {
        let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
        let (row, _) = db::blobs::upsert(tx, &blob.digest, size, &blob.storage_key, now).await?;
        db::blobs::link(tx, repository.id, row.id, None, now).await?;
    }
    let value: Value = serde_json::from_slice(manifest).expect("our own manifest is JSON");
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let digest = Digest::of(manifest);
    let row = rows::Manifest {
        id: Uuid::now_v7(),
        repository_id: repository.id,
        digest: digest.to_string(),
        media_type: text(&value["mediaType"]).unwrap_or_default(),
        artifact_type: text(&value["artifactType"]),
        subject_digest: text(&value["subject"]["digest"]),
        body: manifest.to_vec(),
        size_bytes: i64::try_from(manifest.len()).unwrap_or(i64::MAX),
        image_size_bytes: 0,
        principal_kind: by.kind(),
        principal_id: by.id(),
        attempt_id: by.attempt_id(),
        created_at: now,
    };
    if db::manifests::find(tx, repository.id, digest.as_str()).await?.is_none() {
        db::manifests::insert(tx, row, Vec::new()).await?;
    }
    if let Some(tag) = tag {
        let row = rows::Tag {
            id: Uuid::now_v7(),
            repository_id: repository.id,
            name: tag.to_string(),
            digest: digest.to_string(),
            build_id: None,
            source_id: None,
            ref_name: None,
            ref_number: None,
            updated_at: now,
        };
        db::tags::put(tx, row).await?;
    }
    Ok(digest)
}
