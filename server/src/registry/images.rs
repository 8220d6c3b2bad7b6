//! Images as people see them: tags of one digest together, platforms, layers with their commands.

use super::blobs;
use super::document::{self, Document};
use super::version_order;
use crate::app::App;
use crate::db::{self, EdgeKind, rows};
use crate::error::{Error, Result};
use crate::names::{Digest, TagName};
use crate::policy::{Allowed, ReadRepository};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// An image and the tags that point at it, the newest first.
pub struct Image {
    pub tags: Vec<rows::Tag>,
    /// Without its body on a page of many.
    pub manifest: rows::Manifest,
    pub platforms: Vec<Platform>,
}

/// One platform of an image.
#[derive(Clone, Debug)]
pub struct Platform {
    /// `linux/amd64`; empty for what has none.
    pub name: String,
    pub digest: String,
    pub size_bytes: i64,
    pub layers: Vec<Layer>,
    /// RFC 3339, from the image config.
    pub created: Option<String>,
    pub has_provenance: bool,
}

/// One layer, bottom first.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What made it, `RUN make`; the media type when nobody says.
    pub command: String,
    pub size_bytes: i64,
}

// Configs of real images have some kilobytes.
const MOST_CONFIG: usize = 1 << 20;
// More is no image that people read as a table.
const MOST_PLATFORMS: usize = 50;
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
        // One at a time, and its body goes again: a page of them may have 4 MiB each.
        let Some(mut manifest) = db::manifests::find(&app.db, repository_id, &tag.digest).await? else { continue };
        let platforms = platforms(app, repository_id, &manifest).await?;
        manifest.body = Vec::new();
        images.push(Image { tags: vec![tag], manifest, platforms });
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
    let Some(manifest) = db::manifests::find(&app.db, repository_id, &tag.digest).await? else { return Ok(None) };
    let platforms = platforms(app, repository_id, &manifest).await?;
    Ok(Some(Image { tags: vec![tag], manifest, platforms }))
}

/// The image behind a tag, with all tags on it.
pub async fn of_tag(app: &App, allowed: &Allowed<ReadRepository>, tag: &TagName) -> Result<(rows::Tag, Image)> {
    let repository_id = allowed.on().id;
    let Some(row) = db::tags::find(&app.db, repository_id, tag.as_str()).await? else {
        return Err(super::tags::absent(app, allowed, tag).await?);
    };
    let manifest = db::manifests::find(&app.db, repository_id, &row.digest).await?;
    let manifest = manifest.ok_or_else(|| Error::not_found(format!("tag `{tag}`")))?;
    let tags = db::tags::of_digest(&app.db, repository_id, &row.digest).await?;
    let platforms = platforms(app, repository_id, &manifest).await?;
    Ok((row, Image { tags, manifest, platforms }))
}

/// The image that a build made, with the tags that are on it now.
pub async fn of_digest(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Option<Image>> {
    let Some(manifest) = db::manifests::find(&app.db, repository_id, digest.as_str()).await? else { return Ok(None) };
    let platforms = platforms(app, repository_id, &manifest).await?;
    let tags = db::tags::of_digest(&app.db, repository_id, digest.as_str()).await?;
    Ok(Some(Image { tags, manifest, platforms }))
}

async fn platforms(app: &App, repository_id: Uuid, manifest: &rows::Manifest) -> Result<Vec<Platform>> {
    let Ok(document) = document::parse(&manifest.media_type, &manifest.body) else { return Ok(Vec::new()) };
    if !document::is_index(&document.media_type) {
        let one = platform(app, repository_id, "", &manifest.digest, &document).await?;
        return Ok(vec![one]);
    }
    let described = attested(&manifest.body);
    let mut all = Vec::new();
    for edge in document.edges.iter().filter(|e| e.kind == EdgeKind::Manifest).take(MOST_PLATFORMS) {
        // Attestations of BuildKit: facts of their platform, no platform.
        if edge.platform.as_deref() == Some("unknown/unknown") {
            continue;
        }
        let Some(child) = db::manifests::find(&app.db, repository_id, edge.digest.as_str()).await? else { continue };
        let Ok(parsed) = document::parse(&child.media_type, &child.body) else { continue };
        let name = edge.platform.as_deref().unwrap_or_default();
        let mut one = platform(app, repository_id, name, &child.digest, &parsed).await?;
        one.has_provenance = described.contains(&child.digest);
        all.push(one);
    }
    Ok(all)
}

/// Digests of the children that an attestation in the index describes.
fn attested(index: &[u8]) -> Vec<String> {
    let index: Value = serde_json::from_slice(index).unwrap_or_default();
    let children = index["manifests"].as_array().cloned().unwrap_or_default();
    children
        .iter()
        .filter_map(|c| c["annotations"]["vnd.docker.reference.digest"].as_str().map(str::to_owned))
        .collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    os: String,
    architecture: String,
    variant: Option<String>,
    created: Option<String>,
    history: Vec<History>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct History {
    created_by: String,
    empty_layer: bool,
}

async fn platform(app: &App, repository_id: Uuid, name: &str, digest: &str, document: &Document) -> Result<Platform> {
    let config = config(app, repository_id, document).await?;
    let mut commands = config.history.iter().filter(|h| !h.empty_layer).map(|h| plain_command(&h.created_by));
    let layers: Vec<Layer> = document
        .edges
        .iter()
        .filter(|e| matches!(e.kind, EdgeKind::Layer | EdgeKind::Blob))
        .map(|e| Layer {
            command: commands.next().filter(|c| !c.is_empty()).unwrap_or_else(|| e.media_type.clone()),
            size_bytes: e.size_bytes,
        })
        .collect();
    let own_name = match (config.os.as_str(), config.architecture.as_str(), &config.variant) {
        ("", _, _) | (_, "", _) => String::new(),
        (os, arch, Some(variant)) if !variant.is_empty() => format!("{os}/{arch}/{variant}"),
        (os, arch, _) => format!("{os}/{arch}"),
    };
    Ok(Platform {
        name: if name.is_empty() { own_name } else { name.to_owned() },
        digest: digest.to_owned(),
        size_bytes: layers.iter().map(|l| l.size_bytes).sum(),
        layers,
        created: config.created,
        has_provenance: false,
    })
}

async fn config(app: &App, repository_id: Uuid, document: &Document) -> Result<Config> {
    let Some(edge) = document.edges.iter().find(|e| e.kind == EdgeKind::Config) else { return Ok(Config::default()) };
    let bytes = blobs::read_small(app, repository_id, &edge.digest, MOST_CONFIG).await?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}

/// `RUN /bin/sh -c make # buildkit` → `RUN make`.
fn plain_command(created_by: &str) -> String {
    let text = created_by.trim_end_matches("# buildkit").trim();
    let text = text.strip_prefix("/bin/sh -c #(nop)").unwrap_or(text).trim();
    text.replace("RUN /bin/sh -c ", "RUN ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_as_in_the_dockerfile() {
        assert_eq!(plain_command("RUN /bin/sh -c make # buildkit"), "RUN make");
        assert_eq!(plain_command("COPY busybox /bin/ # buildkit"), "COPY busybox /bin/");
        assert_eq!(plain_command("/bin/sh -c #(nop) ADD file:x in / "), "ADD file:x in /");
    }
}
