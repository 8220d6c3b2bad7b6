//! One image as its page shows it: its platforms as rows, and the layers of one of them.

use super::config;
use super::{Image, Kind, Platform};
use crate::app::App;
use crate::db::{self, manifests::Facts, rows};
use crate::error::Result;
use crate::names::Digest;
use crate::registry::{document, manifests};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Layers on a page; images of more are made by hand.
const MOST_LAYERS: u64 = 100;
/// An index of fifty platforms has 50 KiB.
const MOST_INDEX: i64 = 1 << 20;

/// What the page of an image tells beside the lists.
pub struct Details {
    pub platforms: Vec<PlatformFacts>,
    /// The platform whose layers are shown; `None` when the image has none.
    pub shown: Option<Shown>,
}

/// One platform of an image, without what lies in it.
#[derive(Clone, Debug)]
pub struct PlatformFacts {
    /// `linux/amd64`; empty for what has none.
    pub name: String,
    pub digest: String,
    /// What a pull moves.
    pub size_bytes: i64,
    pub layers: i64,
    pub has_provenance: bool,
}

/// The layers of one platform.
#[derive(Clone, Debug)]
pub struct Shown {
    pub name: String,
    pub layers: Vec<Layer>,
    pub more_layers: u64,
    /// RFC 3339, from the image config.
    pub created: Option<String>,
}

/// One layer, bottom first; of what is no image one file.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What made it, `RUN make`, or what the file is called; the media type when nobody says.
    pub command: String,
    pub size_bytes: i64,
}

/// Reads the platform `asked`, or the first one, and no other.
pub async fn details(app: &App, repository_id: Uuid, image: &Image, asked: &str) -> Result<Details> {
    let is_index = document::is_index(&image.manifest.media_type);
    let children = if is_index { children(app, repository_id, image).await? } else { HashMap::new() };
    let facts_of = |platform: &Platform| match children.get(&platform.digest) {
        Some(found) => Some(found),
        None => (platform.digest == image.manifest.digest).then_some(&image.manifest),
    };
    let ids: Vec<Uuid> = image.platforms.iter().filter_map(facts_of).map(|facts| facts.id).collect();
    let layers = db::edges::count_layers(&app.db, &ids).await?;
    let described = if is_index { described(app, repository_id, image).await? } else { HashSet::new() };
    let mut platforms: Vec<PlatformFacts> = Vec::new();
    let mut shown_at = None;
    for platform in &image.platforms {
        let Some(facts) = facts_of(platform) else { continue };
        if shown_at.is_none_or(|(at, _)| at > 0 && platform.name == asked) {
            shown_at = Some((platforms.len(), facts.id));
        }
        platforms.push(PlatformFacts {
            name: platform.name.clone(),
            digest: platform.digest.clone(),
            size_bytes: facts.image_size_bytes,
            layers: layers.get(&facts.id).copied().unwrap_or_default(),
            has_provenance: described.contains(&platform.digest),
        });
    }
    let shown = match shown_at {
        Some((at, id)) => Some(shown(app, repository_id, &image.kind, &platforms[at], id).await?),
        None => None,
    };
    Ok(Details { platforms, shown })
}

async fn children(app: &App, repository_id: Uuid, image: &Image) -> Result<HashMap<String, Facts>> {
    let digests: Vec<String> = image.platforms.iter().map(|p| p.digest.clone()).collect();
    let found = db::manifests::facts(&app.db, repository_id, &digests).await?;
    Ok(found.into_iter().map(|facts| (facts.digest.clone(), facts)).collect())
}

async fn shown(app: &App, repository_id: Uuid, kind: &Kind, facts: &PlatformFacts, manifest_id: Uuid) -> Result<Shown> {
    let edges = db::edges::layers(&app.db, manifest_id, MOST_LAYERS).await?;
    let all = u64::try_from(facts.layers).unwrap_or_default();
    let more_layers = all.saturating_sub(edges.len() as u64);
    if *kind != Kind::Image {
        let layers = layers(titles(app, repository_id, facts).await?.into_iter(), edges);
        return Ok(Shown { name: facts.name.clone(), layers, more_layers, created: None });
    }
    let config = config::read(app, repository_id, manifest_id).await?;
    Ok(Shown {
        name: if facts.name.is_empty() { config.platform() } else { facts.name.clone() },
        more_layers,
        layers: layers(config.commands(), edges),
        created: config.created,
    })
}

fn layers(mut names: impl Iterator<Item = String>, edges: Vec<rows::Edge>) -> Vec<Layer> {
    let layer = |edge: rows::Edge| Layer {
        command: names.next().filter(|c| !c.is_empty()).unwrap_or(edge.media_type),
        size_bytes: edge.size_bytes,
    };
    edges.into_iter().map(layer).collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Files {
    layers: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
}

/// What an artifact calls its files, as oras writes it; an empty text where it says nothing.
async fn titles(app: &App, repository_id: Uuid, facts: &PlatformFacts) -> Result<Vec<String>> {
    let digest = Digest::trusted(&facts.digest);
    let Some(row) = manifests::find_small(app, repository_id, &digest, MOST_INDEX).await? else {
        return Ok(Vec::new());
    };
    let files: Files = serde_json::from_slice(&row.body).unwrap_or_default();
    let title = |file: Descriptor| file.annotations.and_then(|said| said.title).unwrap_or_default();
    let all = files.layers.into_iter().chain(files.blobs).flatten();
    Ok(all.map(|file| config::shown(&title(file))).take(usize::try_from(MOST_LAYERS).unwrap_or(usize::MAX)).collect())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "vnd.docker.reference.digest")]
    describes: Option<String>,
    #[serde(rename = "org.opencontainers.image.title")]
    title: Option<String>,
}

/// Digests of the children that an attestation in the index describes: the one thing that no descriptor's row holds.
async fn described(app: &App, repository_id: Uuid, image: &Image) -> Result<HashSet<String>> {
    let digest = Digest::trusted(&image.manifest.digest);
    let Some(row) = manifests::find_small(app, repository_id, &digest, MOST_INDEX).await? else {
        return Ok(HashSet::new());
    };
    let index: Index = serde_json::from_slice(&row.body).unwrap_or_default();
    Ok(index.manifests.into_iter().filter_map(|child| child.annotations?.describes).collect())
}
