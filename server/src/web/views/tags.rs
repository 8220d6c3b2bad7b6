//! Tags of a repository: the list, one tag, and deleting one.

use super::cut::Cut;
use super::facts::{Signature, When};
use super::layout::{Layout, Pages, SortOption};
use super::pull::PullBox;
use super::repository::{Cause, ImageRow, RepositoryHead};
use super::{facts, filters};
use askama::Template;

/// `/{ns}/{repo}/-/tags?q=&sort=&page=`.
#[derive(Template)]
#[template(path = "tags/list.html")]
pub struct TagList {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub rows: Vec<ImageRow>,
    pub query: String,
    pub sorts: Vec<SortOption>,
    pub pages: Pages,
}

/// `/{ns}/{repo}/-/tags/{tag}?platform=`.
#[derive(Template)]
#[template(path = "tags/show.html")]
pub struct TagPage {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub tag: String,
    /// Other tags of the same digest; the list of tags finds all of them.
    pub aliases: Cut<String>,
    /// What `docker pull` prints.
    pub digest: String,
    pub size: u64,
    pub at: When,
    pub cause: Cause,
    pub signature: Signature,
    pub platforms: Cut<PlatformRow>,
    /// Which platform's layers are shown, `linux/amd64`; empty for what has none.
    pub platform: String,
    /// When that one was made, if its config tells.
    pub created: Option<When>,
    /// Bottom first, as in the Dockerfile.
    pub layers: Cut<LayerRow>,
    /// What the image stands on, when a build of ours made it.
    pub base_images: Cut<BaseImage>,
    pub pull: PullBox,
    /// Newest first.
    pub history: Cut<TagMove>,
}

#[derive(Debug, Clone)]
pub struct PlatformRow {
    /// `linux/arm64`.
    pub name: String,
    pub digest: String,
    pub size: u64,
    pub layers: u64,
    /// Provenance comes with it.
    pub provenance: bool,
}

/// An image that a build began from.
#[derive(Debug, Clone)]
pub struct BaseImage {
    /// `debian:bookworm-slim`.
    pub name: String,
    /// `linux/amd64`, or empty.
    pub platform: String,
    pub digest: String,
    /// Its page, if it lies here.
    pub url: Option<String>,
}

#[derive(Debug, Clone)]
pub struct LayerRow {
    /// `COPY --from=build /out/api /api`, or the media type.
    pub command: String,
    pub size: u64,
}

/// A layer's part of the bar, in hundredths of a percent.
pub struct Part {
    pub from: String,
    pub width: String,
    pub percent: u64,
    pub tone: usize,
}

impl TagPage {
    pub fn delete_url(&self) -> String {
        format!("{}/delete", self.head.tag_url(&self.tag))
    }

    /// Where all tags of this image are.
    pub fn aliases_url(&self) -> String {
        format!("{}/-/tags?q={}", self.head.url(), self.digest)
    }

    /// Of the layers that are shown; a manifest may say anything of them.
    pub fn layers_size(&self) -> u64 {
        self.layers.shown.iter().fold(0, |all, layer| all.saturating_add(layer.size))
    }

    /// The parts of the bar, in the order of `layers`.
    pub fn parts(&self) -> Vec<Part> {
        let whole = self.layers_size().max(1);
        let mut before = 0;
        let percent = |size: u64| u64::try_from(u128::from(size) * 10_000 / u128::from(whole)).unwrap_or(10_000);
        let text = |n: u64| format!("{}.{:02}%", n / 100, n % 100);
        let part = |(at, layer): (usize, &LayerRow)| {
            let from = percent(before);
            before = layer.size.saturating_add(before);
            Part {
                from: text(from),
                width: text(percent(before) - from),
                percent: percent(layer.size) / 100,
                tone: at % 6 + 1,
            }
        };
        self.layers.shown.iter().enumerate().map(part).collect()
    }
}

/// One change of a tag.
#[derive(Debug, Clone)]
pub struct TagMove {
    /// `None` when the tag was removed.
    pub to: Option<String>,
    pub at: When,
    pub cause: Cause,
}

/// `/{ns}/{repo}/-/tags/{tag}/delete`.
#[derive(Template)]
#[template(path = "tags/delete.html")]
pub struct TagDelete {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub tag: String,
    pub digest: String,
    /// Tags that keep the image.
    pub aliases: Cut<String>,
}
