//! Tags.

use crate::clock::Millis;
use crate::db::{self, Tx, rows};
use crate::error::Result;
use crate::names::{Digest, TagName};
use crate::sources::rules::MappedTag;
use uuid::Uuid;

/// What became of a tag that a build was to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub tag: TagName,
    pub moved: bool,
    pub why_not: Option<String>,
}

/// Moves the tags of a build.
pub async fn move_for_build(
    tx: &Tx,
    repository: &rows::Repository,
    build: &rows::Build,
    digest: &Digest,
    tags: &[MappedTag],
    now: Millis,
) -> Result<Vec<Moved>> {
    let mut moved = Vec::new();
    for tag in tags {
        let row = rows::Tag {
            id: Uuid::now_v7(),
            repository_id: repository.id,
            name: tag.name.to_string(),
            digest: digest.to_string(),
            build_id: Some(build.id),
            source_id: build.source_id,
            ref_name: Some(build.ref_name.clone()),
            ref_number: Some(build.ref_number),
            updated_at: now,
        };
        db::tags::put(tx, row).await?;
        moved.push(Moved { tag: tag.name.clone(), moved: true, why_not: None });
    }
    Ok(moved)
}
