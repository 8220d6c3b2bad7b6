//! Base images of a build, from the package URLs of its provenance: `pkg:docker/debian@bookworm-slim?platform=linux%2Famd64`.

use super::views::tags::BaseImage;
use crate::app::App;
use crate::builds;
use crate::error::Result;
use crate::names::RepositoryName;
use actix_web::web::Query;
use std::collections::HashMap;
use uuid::Uuid;

/// The base images of a build; the source itself is told by its commit.
pub(super) async fn base_images(app: &App, build_id: Uuid) -> Result<Vec<BaseImage>> {
    let host = app.config.public_host();
    let all = builds::materials(app, build_id).await?;
    Ok(all.into_iter().filter_map(|m| base_image(&m.uri, m.digest, &host)).collect())
}

fn base_image(uri: &str, digest: String, host: &str) -> Option<BaseImage> {
    let (image, query) = uri.strip_prefix("pkg:docker/").map(|rest| rest.split_once('?').unwrap_or((rest, "")))?;
    let (name, tag) = image.split_once('@').map_or((image, None), |(name, tag)| (name, Some(tag)));
    // The only sign that is written otherwise in names is the colon before a port.
    let name = name.replace("%3A", ":").replace("%3a", ":");
    let query = Query::<HashMap<String, String>>::from_query(query).map(Query::into_inner).unwrap_or_default();
    Some(BaseImage {
        url: own_url(&name, tag, host),
        name: tag.map_or_else(|| name.clone(), |tag| format!("{name}:{tag}")),
        platform: query.get("platform").cloned().unwrap_or_default(),
        digest,
    })
}

/// The page of an image that lies here.
fn own_url(name: &str, tag: Option<&str>, host: &str) -> Option<String> {
    let own: RepositoryName = name.strip_prefix(host)?.strip_prefix('/')?.parse().ok()?;
    Some(tag.map_or_else(|| format!("/{own}"), |tag| format!("/{own}/-/tags/{tag}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_read_and_our_own_images_linked() {
        for (uri, name, platform, url) in [
            ("pkg:docker/debian@bookworm-slim?platform=linux%2Famd64", "debian:bookworm-slim", "linux/amd64", None),
            ("pkg:docker/ghcr.io/acme/x@1", "ghcr.io/acme/x:1", "", None),
            (
                "pkg:docker/localhost%3A8080/acme/base/rust@1?platform=linux%2Farm64",
                "localhost:8080/acme/base/rust:1",
                "linux/arm64",
                Some("/acme/base/rust/-/tags/1"),
            ),
            ("pkg:docker/localhost%3A8080/acme/base", "localhost:8080/acme/base", "", Some("/acme/base")),
            ("pkg:docker/localhost%3A80801/acme/base", "localhost:80801/acme/base", "", None),
            ("pkg:docker/localhost%3A8080/../x@1", "localhost:8080/../x:1", "", None),
        ] {
            let read = base_image(uri, "sha256:aa".to_owned(), "localhost:8080").expect(uri);
            assert_eq!((read.name.as_str(), read.platform.as_str(), read.url.as_deref()), (name, platform, url));
        }
        assert!(base_image("git+https://github.com/acme/secret", String::new(), "localhost:8080").is_none());
    }
}
