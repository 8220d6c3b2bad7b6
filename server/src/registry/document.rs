//! Reading a manifest: every descriptor in it, whatever its media type.

mod meaning;
mod shape;
#[cfg(test)]
mod tests;

use super::media_type;
use crate::db::EdgeKind;
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use serde::Deserialize;
use serde_json::Value;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

// 4 MiB: the OCI distribution spec asks for at least 4 megabytes.
pub const MOST_BYTES: usize = 4 << 20;
// Enough for every real index; each is a row.
const MOST_DESCRIPTORS: usize = 10_000;

/// What a manifest says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub subject: Option<Digest>,
    pub edges: Vec<Edge>,
}

/// A descriptor in a manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct Edge {
    pub kind: EdgeKind,
    pub digest: Digest,
    pub media_type: String,
    pub size_bytes: i64,
    /// `linux/arm64/v8`; `None` when it says none.
    pub platform: Option<String>,
    /// Its bytes are elsewhere (foreign layers); nothing of ours ever fetches them.
    pub is_foreign: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<i64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<i64>,
    platform: Option<Platform>,
    urls: Option<Vec<Option<String>>>,
}

impl Descriptor {
    /// One without a value, as a program in Go writes a struct that it did not fill.
    fn is_empty(&self) -> bool {
        let is_empty = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
        is_empty(&self.digest) && self.size.unwrap_or_default() == 0 && is_empty(&self.media_type)
    }

    fn digest(&self) -> Result<Digest> {
        given(self.digest.clone()).ok_or_else(|| invalid("a descriptor has no `digest`"))?.parse()
    }
}

#[derive(Deserialize)]
struct Platform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

/// Programs in Go write what they do not know as an empty text, or as `null`: either is as missing.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl Platform {
    /// `linux/arm64/v8`; `None` when it says nothing.
    fn name(self) -> Option<String> {
        let (os, architecture) = match (given(self.os), given(self.architecture)) {
            (None, None) => return None,
            (os, architecture) => (os, architecture),
        };
        let unknown = || "unknown".to_owned();
        let variant = given(self.variant).map_or_else(String::new, |variant| format!("/{variant}"));
        Some(format!("{}/{}{variant}", os.unwrap_or_else(unknown), architecture.unwrap_or_else(unknown)))
    }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::registry(OciCode::ManifestInvalid, why)
}

/// Media types whose shape we know.
const KNOWN: &[&str] = &[OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// Whether it is the type of an image or of an index: whoever sees it in an index asks for a manifest.
pub(super) fn is_known(media_type: &str) -> bool {
    KNOWN.contains(&media_type)
}

pub fn is_image(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

/// Parses what is pushed as `content_type`. What is stored already may have a media type that is not taken any more.
pub fn parse_pushed(content_type: &str, body: &[u8]) -> Result<Document> {
    let (document, value) = parse(content_type, body)?;
    shape::check(&value)?;
    let media_type = document.media_type.as_str();
    media_type::check(media_type)?;
    if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(media_type) && *known != media_type) {
        // Clients compare letter by letter; in other letters its shape was not looked at.
        return Err(invalid(format!("`{media_type}` is written in lower case")));
    }
    Ok(document)
}

/// Parses a manifest that the server made, which names its own media type.
pub(super) fn parse_own(body: &[u8]) -> Result<Document> {
    Ok(parse("", body)?.0)
}

fn parse(content_type: &str, body: &[u8]) -> Result<(Document, Value)> {
    if body.len() > MOST_BYTES {
        return Err(Error::TooLarge("a manifest has at most 4 MiB".into()));
    }
    let value = meaning::read(body)?;
    let mut raw: Raw =
        serde_json::from_slice(body).map_err(|e| invalid(format!("the manifest has a wrong shape: {e}")))?;
    (raw.media_type, raw.artifact_type) = (given(raw.media_type), given(raw.artifact_type));
    raw.config = raw.config.filter(|config| !config.is_empty());
    raw.subject = raw.subject.filter(|subject| !subject.is_empty());
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let media_type = media_type(&raw, content_type)?;
    check_shape(&raw, &media_type)?;
    // `null` is how an empty list of Go is written.
    if is_index(&media_type) && value.get("manifests").is_none() {
        return Err(invalid("an image index has `manifests`"));
    }
    let subject = raw.subject.as_ref().map(Descriptor::digest).transpose()?;
    plain(raw.artifact_type.as_deref().unwrap_or_default(), "the artifact type")?;
    let config_type = raw.config.as_ref().and_then(|c| given(c.media_type.clone())).filter(|_| is_image(&media_type));
    let edges = edges(raw.config, raw.layers, raw.manifests, raw.blobs)?;
    let artifact_type = raw.artifact_type.or(config_type);
    Ok((Document { media_type, artifact_type, subject, edges }, value))
}

/// Texts that go into rows and headers.
fn plain(text: &str, what: &str) -> Result<()> {
    if text.len() > 255 || text.contains(char::is_control) {
        return Err(invalid(format!("{what} is longer than 255 bytes or has control characters in it")));
    }
    Ok(())
}

fn media_type(raw: &Raw, content_type: &str) -> Result<String> {
    let media_type = given_media_type(raw, content_type)?;
    // RFC 6838: it is sent as a header again.
    if media_type.len() > 255 || !media_type.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(invalid("the manifest's media type is not of the form `type/subtype`"));
    }
    Ok(media_type)
}

fn given_media_type(raw: &Raw, content_type: &str) -> Result<String> {
    match (&raw.media_type, content_type) {
        (Some(own), "") => Ok(own.clone()),
        (Some(own), given) if own != given => {
            Err(invalid(format!("the manifest says its media type is `{own}`, but it was pushed as `{given}`")))
        }
        (_, "") => Err(invalid("the Content-Type header has to name the manifest's media type")),
        (_, given) => Ok(given.to_owned()),
    }
}

// A body that can be read as image and as index means different things to different clients: CVE-2021-41190.
fn check_shape(raw: &Raw, media_type: &str) -> Result<()> {
    let has_index = raw.manifests.is_some();
    let has_image = raw.layers.is_some() || raw.config.is_some();
    if has_index && has_image {
        return Err(invalid("a manifest has `layers` and `config`, or `manifests`, not both"));
    }
    if is_known(media_type) && raw.schema_version != Some(2) {
        return Err(invalid("`schemaVersion` has to be 2"));
    }
    if is_image(media_type) && (has_index || raw.config.is_none()) {
        return Err(invalid("an image manifest has `config`, and no `manifests`"));
    }
    if is_index(media_type) && has_image {
        return Err(invalid("an image index has `manifests`, and no `config` or `layers`"));
    }
    Ok(())
}

fn edges(
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
) -> Result<Vec<Edge>> {
    let mut edges = Vec::new();
    let groups = [
        (EdgeKind::Config, config.into_iter().collect()),
        (EdgeKind::Layer, layers.unwrap_or_default()),
        (EdgeKind::Manifest, manifests.unwrap_or_default()),
        (EdgeKind::Blob, blobs.unwrap_or_default()),
    ];
    for (kind, descriptors) in groups {
        for descriptor in descriptors {
            let digest = descriptor.digest()?;
            let media_type = descriptor.media_type.unwrap_or_default();
            plain(&media_type, "a descriptor's media type")?;
            let size_bytes = descriptor.size.ok_or_else(|| invalid(format!("{digest} has no `size`")))?;
            if size_bytes < 0 {
                return Err(invalid(format!("{digest} has a negative size")));
            }
            let platform = descriptor.platform.and_then(Platform::name);
            plain(platform.as_deref().unwrap_or_default(), "a platform")?;
            edges.push(Edge {
                kind,
                digest,
                is_foreign: descriptor.urls.is_some_and(|urls| !urls.is_empty()) && is_foreign_layer(&media_type),
                media_type,
                size_bytes,
                platform,
            });
        }
    }
    if edges.len() > MOST_DESCRIPTORS {
        return Err(invalid(format!("a manifest has at most {MOST_DESCRIPTORS} descriptors")));
    }
    Ok(edges)
}

fn is_foreign_layer(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
        || media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
}
