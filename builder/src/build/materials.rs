//! What an image was made of, read from the names of the steps: BuildKit writes base images with their digests there.

use slipway_protocol::{Assignment, Material};
use std::collections::BTreeMap;

pub(super) struct Materials {
    dockerfile: String,
    platform: Option<String>,
    all: Vec<Material>,
}

impl Materials {
    /// Begins with the source itself.
    pub(super) fn new(assignment: &Assignment) -> Self {
        let source = &assignment.source;
        let algorithm = if source.commit.len() == 64 { "sha256" } else { "sha1" };
        let platform = match assignment.target.platforms.as_slice() {
            [] => crate::readiness::platforms().into_iter().next(),
            [one] => Some(one.clone()),
            _ => None,
        };
        Self {
            dockerfile: assignment.target.dockerfile.clone(),
            platform,
            all: vec![Material {
                uri: format!("git+{}", source.clone_url),
                digest: BTreeMap::from([(algorithm.to_owned(), source.commit.clone())]),
            }],
        }
    }

    pub(super) fn dockerfile(&self) -> &str {
        &self.dockerfile
    }

    /// `[build 1/4] FROM docker.io/library/debian:bookworm-slim@sha256:…`
    pub(super) fn note(&mut self, step: &str) {
        let Some((_, image)) = step.split_once("FROM ") else {
            return;
        };
        let image = image.split_ascii_whitespace().next().unwrap_or_default();
        let Some((name, digest)) = image.split_once('@') else {
            return;
        };
        let Some((algorithm, hex)) = digest.split_once(':') else {
            return;
        };
        let material = Material {
            uri: package_url(name, self.platform.as_deref()),
            digest: BTreeMap::from([(algorithm.to_owned(), hex.to_owned())]),
        };
        if !self.all.contains(&material) {
            self.all.push(material);
        }
    }

    pub(super) fn all(self) -> Vec<Material> {
        self.all
    }
}

/// As BuildKit writes it in the provenance: `pkg:docker/debian@bookworm-slim?platform=linux%2Famd64`.
fn package_url(image: &str, platform: Option<&str>) -> String {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let image = image.strip_prefix("library/").unwrap_or(image);
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    };
    let tag = tag.map(|tag| format!("@{tag}")).unwrap_or_default();
    let platform = platform.map(|name| format!("?platform={}", name.replace('/', "%2F")));
    format!("pkg:docker/{}{tag}{}", name.replace(':', "%3A"), platform.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_images_are_read_from_the_names_of_steps() {
        let mut materials = Materials {
            dockerfile: "Dockerfile".to_owned(),
            platform: Some("linux/amd64".to_owned()),
            all: Vec::new(),
        };
        let debian = "[1/3] FROM docker.io/library/debian:bookworm-slim@sha256:aa";
        let own = "[base 1/2] FROM localhost:8080/acme/base@sha256:bb";
        for step in [debian, "[2/3] RUN echo FROM x", own, "[internal] load build context", debian] {
            materials.note(step);
        }
        let uris: Vec<_> = materials.all().into_iter().map(|m| m.uri).collect();
        assert_eq!(
            uris,
            [
                "pkg:docker/debian@bookworm-slim?platform=linux%2Famd64",
                "pkg:docker/localhost%3A8080/acme/base?platform=linux%2Famd64"
            ]
        );
    }
}
