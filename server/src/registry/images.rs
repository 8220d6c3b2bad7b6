//! Images as people see them: tags of one digest together, and the names of their platforms.
//!
//! Lists read rows and no manifest: bodies and children may be large, and are many. What a page tells of one image
//! beyond that is in `details`.

mod config;
mod details;

pub use config::Names;
pub use details::{Details, Layer, PlatformFacts, Shown, details};

use super::document;
use super::version_order;
use crate::app::App;
use crate::db::manifests::Facts;
use crate::db::{self, rows};
use crate::error::{Error, Result};
use crate::names::{Digest, TagName};
use crate::policy::{Allowed, ReadRepository};
use uuid::Uuid;

/// An image and tags that point at it.
pub struct Image {
    /// On a page of many the tags of this page, else the first ones by name.
    pub tags: Vec<rows::Tag>,
    /// How many more tags it has, on a page of its own.
    pub more_tags: u64,
    pub manifest: Facts,
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

/// The order of a list of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagOrder {
    #[default]
    Newest,
    Name,
    /// As versions, the newest first.
    Version,
}

/// Images by their tags, `limit` tags from `offset` on; tags of one digest in one entry. `part` occurs in the tag's name,
/// or begins its digest. The number is of all tags that match; more than `MOST_BY_VERSION` come by name.
pub async fn page(
    app: &App,
    allowed: &Allowed<ReadRepository>,
    part: &str,
    order: TagOrder,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Image>, u64)> {
    let repository_id = allowed.on().id;
    let total = db::tags::count(&app.db, repository_id, part).await?;
    let tags = match order {
        TagOrder::Version if total <= MOST_BY_VERSION => by_version(app, repository_id, part, offset, limit).await?,
        _ => db::tags::page(&app.db, repository_id, part, order != TagOrder::Newest, offset, limit).await?,
    };
    let mut images: Vec<Image> = Vec::new();
    for tag in tags {
        if let Some(known) = images.iter_mut().find(|i| i.manifest.digest == tag.digest) {
            known.tags.push(tag);
            continue;
        }
        let Some(manifest) = db::manifests::find_facts(&app.db, repository_id, &tag.digest).await? else { continue };
        images.push(image(app, repository_id, manifest, vec![tag], MOST_LISTED).await?);
    }
    Ok((images, total))
}

async fn by_version(app: &App, repository_id: Uuid, part: &str, offset: u64, limit: u64) -> Result<Vec<rows::Tag>> {
    let all = db::tags::shown_names(&app.db, repository_id, part).await?;
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let names: Vec<String> =
        version_order::newest_first(&all).into_iter().skip(from).take(most).map(str::to_owned).collect();
    let mut rows = db::tags::find_all(&app.db, repository_id, &names).await?;
    rows.sort_by_key(|row| names.iter().position(|name| *name == row.name));
    Ok(rows)
}

/// The image that the newest tag points at.
pub async fn newest(app: &App, repository_id: Uuid) -> Result<Option<Image>> {
    let Some(tag) = db::tags::page(&app.db, repository_id, "", false, 0, 1).await?.pop() else { return Ok(None) };
    match db::manifests::find_facts(&app.db, repository_id, &tag.digest).await? {
        Some(manifest) => image(app, repository_id, manifest, vec![tag], 1).await.map(Some),
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
    if !document::is_index(&manifest.media_type) {
        let name = config::platform(app, repository_id, manifest.id).await?;
        let platforms = vec![Platform { name, digest: manifest.digest.clone() }];
        return Ok(Image { tags, more_tags: 0, manifest, platforms, more_platforms: 0 });
    }
    let mut children = db::edges::platforms(&app.db, manifest.id, most_platforms + 1).await?;
    let more_platforms = match children.len() as u64 {
        few if few <= most_platforms => 0,
        _ => db::edges::count_platforms(&app.db, manifest.id).await?.saturating_sub(most_platforms),
    };
    children.truncate(usize::try_from(most_platforms).unwrap_or(usize::MAX));
    let platform =
        |child: db::edges::Child| Platform { name: child.platform.unwrap_or_default(), digest: child.digest };
    let platforms = children.into_iter().map(platform).collect();
    Ok(Image { tags, more_tags: 0, manifest, platforms, more_platforms })
}
