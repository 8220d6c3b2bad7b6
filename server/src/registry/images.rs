//! Images as people see them: tags of one digest together, and the names of their platforms.
//!
//! Lists read rows and no manifest: bodies and children may be large, and are many. What a page tells of one image
//! beyond that is in `details`.

mod config;
mod details;
mod kind;
mod list;

pub use config::Names;
pub use details::{Details, Layer, PlatformFacts, Shown, details};
pub use kind::Kind;
pub use list::{Asked, TagOrder, page};

use super::document;
use crate::app::App;
use crate::db::manifests::Facts;
use crate::db::{self, rows};
use crate::error::{Error, Result};
use crate::names::{Digest, TagName};
use crate::policy::{Allowed, ReadRepository};
use uuid::Uuid;

/// An image and tags that point at it.
pub struct Image {
    /// The first ones: by name on a page of its own, else in the order of the list.
    pub tags: Vec<rows::Tag>,
    /// How many more tags it has.
    pub more_tags: u64,
    /// The tag that moved last, where it may be none of these.
    pub newest: Option<rows::Tag>,
    pub manifest: Facts,
    pub kind: Kind,
    pub platforms: Vec<Platform>,
    pub more_platforms: u64,
}

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux/amd64`; empty for what has none.
    pub name: String,
    pub digest: String,
}

/// Platforms of one image in a list.
const MOST_LISTED: u64 = 10;
/// More is no image that people read as a table.
const MOST_PLATFORMS: u64 = 50;
/// Other tags of an image on its page; the list of tags finds the rest by the digest.
const MOST_TAGS: u64 = 30;
// Versions are compared here, not by the database: a megabyte of names.
pub const MOST_BY_VERSION: u64 = 20_000;

impl Image {
    /// What pulls of the smallest and the largest platform move.
    pub fn sizes(&self) -> (i64, i64) {
        let Facts { image_size_bytes: whole, platform_least_bytes: least, platform_most_bytes: most, .. } =
            self.manifest;
        (least.unwrap_or(whole), most.unwrap_or(whole))
    }
}

/// The tag that is offered to people: the first of `names` that is there, else the one that moved last.
pub async fn offered(app: &App, repository_id: Uuid, names: &[String]) -> Result<Option<rows::Tag>> {
    let found = db::tags::find_all(&app.db, repository_id, names).await?;
    let first = names.iter().find_map(|name| found.iter().find(|tag| tag.name == *name));
    match first {
        Some(tag) => Ok(Some(tag.clone())),
        None => db::tags::newest(&app.db, repository_id).await,
    }
}

/// The image that a tag points at, without its other tags.
pub async fn of_row(app: &App, tag: &rows::Tag) -> Result<Option<Image>> {
    match db::manifests::find_facts(&app.db, tag.repository_id, &tag.digest).await? {
        Some(manifest) => image(app, tag.repository_id, manifest, vec![tag.clone()], 1).await.map(Some),
        None => Ok(None),
    }
}

/// The image behind a tag, with the first of the tags on it.
pub async fn of_tag(app: &App, allowed: &Allowed<ReadRepository>, tag: &TagName) -> Result<(rows::Tag, Image)> {
    let repository_id = allowed.on().id;
    let Some(row) = db::tags::find(&app.db, repository_id, tag.as_str()).await? else {
        return Err(super::tags::absent(app, allowed, tag).await?);
    };
    let found = of_digest(app, repository_id, &Digest::trusted(&row.digest)).await?;
    Ok((row, found.ok_or_else(|| Error::not_found(format!("tag `{tag}`")))?))
}

/// An image by its digest, with the first of the tags that are on it now.
pub async fn of_digest(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Option<Image>> {
    let digest = digest.as_str();
    let Some(manifest) = db::manifests::find_facts(&app.db, repository_id, digest).await? else { return Ok(None) };
    let tags = db::tags::of_digest(&app.db, repository_id, digest, MOST_TAGS + 1).await?;
    let more = match tags.len() as u64 {
        few if few <= MOST_TAGS => 0,
        _ => db::tags::count_of_digest(&app.db, repository_id, digest).await?.saturating_sub(MOST_TAGS),
    };
    let mut found = image(app, repository_id, manifest, tags, MOST_PLATFORMS).await?;
    if more > 0 {
        found.tags.truncate(found.tags.len() - 1);
        found.more_tags = more;
    }
    Ok(Some(found))
}

async fn image(
    app: &App,
    repository_id: Uuid,
    manifest: Facts,
    tags: Vec<rows::Tag>,
    most_platforms: u64,
) -> Result<Image> {
    let mut found = Image {
        kind: Kind::of(&manifest),
        tags,
        more_tags: 0,
        newest: None,
        manifest,
        platforms: Vec::new(),
        more_platforms: 0,
    };
    if !document::is_index(&found.manifest.media_type) {
        let name = match found.kind {
            Kind::Image => config::platform(app, repository_id, found.manifest.id).await?,
            _ => String::new(),
        };
        found.platforms.push(Platform { name, digest: found.manifest.digest.clone() });
        return Ok(found);
    }
    let mut children = db::edges::platforms(&app.db, found.manifest.id, most_platforms + 1).await?;
    if children.iter().all(|child| child.platform.is_none())
        && db::edges::names_type(&app.db, found.manifest.id, kind::CACHE_CONFIG).await?
    {
        // Its children are layers.
        found.kind = Kind::Cache;
        return Ok(found);
    }
    found.more_platforms = match children.len() as u64 {
        few if few <= most_platforms => 0,
        _ => db::edges::count_platforms(&app.db, found.manifest.id).await?.saturating_sub(most_platforms),
    };
    children.truncate(usize::try_from(most_platforms).unwrap_or(usize::MAX));
    let platform =
        |child: db::edges::Child| Platform { name: child.platform.unwrap_or_default(), digest: child.digest };
    found.platforms = children.into_iter().map(platform).collect();
    Ok(found)
}
