//! What a manifest is, told by its types: an image, a chart, or something else that lies in a registry.

use super::super::document;
use crate::db::manifests::Facts;

/// Types of an image's config.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// helm.sh, "Use OCI-based registries".
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const PLUGIN_CONFIG: &str = "application/vnd.docker.plugin.v1+json";
/// Of BuildKit's cache, in an image or beside its layers in an index.
pub(super) const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";
/// Says nothing: OCI image-spec, "Guidance for an Empty Descriptor".
const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";
/// The first form of Docker's manifests.
const OLD_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v1+";

/// What is behind a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Image,
    /// Of Helm.
    Chart,
    /// Of Docker.
    Plugin,
    /// Of BuildKit.
    Cache,
    /// Anything else, as oras and many others store it; empty when it names no type.
    Artifact(String),
}

impl Kind {
    pub(super) fn of(facts: &Facts) -> Self {
        let artifact_type = facts.artifact_type.as_deref().unwrap_or_default();
        if document::is_index(&facts.media_type) {
            return if artifact_type.is_empty() { Self::Image } else { Self::Artifact(artifact_type.to_owned()) };
        }
        if facts.media_type.starts_with(OLD_MANIFEST) {
            return Self::Image;
        }
        if !document::is_image(&facts.media_type) {
            let named = if artifact_type.is_empty() { &facts.media_type } else { artifact_type };
            return Self::Artifact(named.to_owned());
        }
        match artifact_type {
            "" => Self::Image,
            image if IMAGE_CONFIGS.contains(&image) => Self::Image,
            CHART_CONFIG => Self::Chart,
            PLUGIN_CONFIG => Self::Plugin,
            CACHE_CONFIG => Self::Cache,
            EMPTY_CONFIG => Self::Artifact(String::new()),
            other => Self::Artifact(other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use document::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

    #[test]
    fn what_lies_behind_a_tag_is_told_by_its_types() {
        let artifact = |text: &str| Kind::Artifact(text.to_owned());
        for (media_type, artifact_type, kind) in [
            (OCI_MANIFEST, Some("application/vnd.oci.image.config.v1+json"), Kind::Image),
            (DOCKER_MANIFEST, Some("application/vnd.docker.container.image.v1+json"), Kind::Image),
            (OCI_MANIFEST, None, Kind::Image),
            (OCI_MANIFEST, Some(""), Kind::Image),
            (OCI_INDEX, None, Kind::Image),
            (DOCKER_LIST, None, Kind::Image),
            ("application/vnd.docker.distribution.manifest.v1+prettyjws", None, Kind::Image),
            (OCI_MANIFEST, Some("application/vnd.cncf.helm.config.v1+json"), Kind::Chart),
            (DOCKER_MANIFEST, Some("application/vnd.docker.plugin.v1+json"), Kind::Plugin),
            (OCI_MANIFEST, Some("application/vnd.buildkit.cacheconfig.v0"), Kind::Cache),
            (OCI_MANIFEST, Some("application/vnd.oci.empty.v1+json"), artifact("")),
            (
                OCI_MANIFEST,
                Some("application/vnd.wasm.config.v0+json"),
                artifact("application/vnd.wasm.config.v0+json"),
            ),
            (OCI_INDEX, Some("application/vnd.acme.set"), artifact("application/vnd.acme.set")),
            ("application/vnd.acme.thing+json", None, artifact("application/vnd.acme.thing+json")),
            (
                "application/vnd.oci.artifact.manifest.v1+json",
                Some("application/spdx+json"),
                artifact("application/spdx+json"),
            ),
        ] {
            let facts = Facts {
                id: uuid::Uuid::nil(),
                digest: String::new(),
                media_type: media_type.to_owned(),
                artifact_type: artifact_type.map(str::to_owned),
                size_bytes: 0,
                image_size_bytes: 0,
                attempt_id: None,
                created_at: 0,
                platform_least_bytes: None,
                platform_most_bytes: None,
            };
            assert_eq!(Kind::of(&facts), kind, "{media_type} {artifact_type:?}");
        }
    }
}
