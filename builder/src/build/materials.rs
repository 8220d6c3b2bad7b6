//! What an image was made of, read from the names of the steps: BuildKit writes base images with their digests there.

use slipway_buildkit::Event;
use slipway_protocol::{Assignment, Material};
use std::collections::BTreeMap;

/// So many, and none with a longer name: the end of an attempt is one request of at most 1 MiB.
const MOST: usize = 1000;
const LONGEST: usize = 500;

pub(super) struct Materials {
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
            platform,
            all: vec![Material {
                uri: format!("git+{}", source.clone_url),
                digest: BTreeMap::from([(algorithm.to_owned(), source.commit.clone())]),
            }],
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        let Event::StepStarted { name, .. } = event else {
            return;
        };
        let Some((name, hex)) = base_image(name) else {
            return;
        };
        let material = Material {
            uri: package_url(name, self.platform.as_deref()),
            digest: BTreeMap::from([("sha256".to_owned(), hex.to_owned())]),
        };
        if self.all.len() < MOST && !self.all.contains(&material) {
            self.all.push(material);
        }
    }

    pub(super) fn all(self) -> Vec<Material> {
        self.all
    }
}

/// `[build 1/4] FROM docker.io/library/debian:bookworm-slim@sha256:…`, without the brackets where only files are copied
/// from it. What a step runs may hold the same words, but behind its own: `[2/4] RUN …`.
fn base_image(step: &str) -> Option<(&str, &str)> {
    let said = match step.strip_prefix('[') {
        Some(rest) => rest.split_once("] ")?.1,
        None => step,
    };
    let (name, hex) = said.strip_prefix("FROM ")?.split_once("@sha256:")?;
    let is_digest = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_name = name.len() <= LONGEST && name.bytes().all(|b| b.is_ascii_graphic() && b != b'@');
    (is_digest && is_name).then_some((name, hex))
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

    fn none() -> Materials {
        let platform = Some("linux/amd64".to_owned());
        Materials { platform, all: Vec::new() }
    }

    fn started(name: &str) -> Event {
        Event::StepStarted { index: 1, vertex: String::new(), name: name.to_owned(), inputs: Vec::new(), at: 0 }
    }

    #[test]
    fn base_images_are_read_from_the_names_of_steps() {
        let mut materials = none();
        let digest = format!("@sha256:{}", "a1".repeat(32));
        let debian = format!("[1/3] FROM docker.io/library/debian:bookworm-slim{digest}");
        let own = format!("[linux/amd64 base 1/2] FROM localhost:8080/acme/base{digest}");
        let copied = format!("FROM docker.io/library/busybox{digest}");
        for step in [&debian, "[internal] load build context", &own, &copied, &debian] {
            materials.note(&started(step));
        }
        let uris: Vec<_> = materials.all().into_iter().map(|m| m.uri).collect();
        assert_eq!(
            uris,
            [
                "pkg:docker/debian@bookworm-slim?platform=linux%2Famd64",
                "pkg:docker/localhost%3A8080/acme/base?platform=linux%2Famd64",
                "pkg:docker/busybox?platform=linux%2Famd64"
            ]
        );
    }

    #[test]
    fn a_step_that_says_from_is_no_base_image() {
        let image = format!("FROM docker.io/library/debian:bookworm@sha256:{}", "a1".repeat(32));
        let mut materials = none();
        for step in [
            format!("[2/3] RUN : {image}"),
            format!("[2/3] RUN echo ] {image}"),
            format!("[2/3] COPY [x] {image} /"),
            format!("[1/3] {image} AS x"),
            format!("RUN {image}"),
            "[1/3] FROM debian@sha256:aa".to_owned(),
            format!("[1/3] FROM {}@sha256:{}", "x".repeat(600), "a1".repeat(32)),
        ] {
            materials.note(&started(&step));
        }
        assert_eq!(materials.all(), []);
    }
}
