//! Tags of a repository: the list, one tag, and deleting one.

use super::cut::Cut;
use super::facts::{Signature, Size, When};
use super::layout::{Layout, Pages, SortOption};
use super::pull::{Kind, PullBox};
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
    pub kind: Kind,
    /// What an artifact names itself, `application/vnd.acme.thing`.
    pub artifact_type: Option<String>,
    pub size: Size,
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
    /// `linux/arm64`; empty where nobody says.
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
        let in_bar = |size: u64| u64::try_from(u128::from(size) * 10_000 / u128::from(whole)).unwrap_or(10_000);
        let text = |n: u64| format!("{}.{:02}%", n / 100, n % 100);
        let sizes: Vec<u64> = self.layers.shown.iter().map(|layer| layer.size).collect();
        let part = |(at, (size, percent)): (usize, (&u64, u64))| {
            let from = in_bar(before);
            before = size.saturating_add(before);
            Part { from: text(from), width: text(in_bar(before) - from), percent, tone: at % 6 + 1 }
        };
        sizes.iter().zip(percents(&sizes)).enumerate().map(part).collect()
    }
}

/// Shares that add up to 100: what is left of rounding down goes to those that lost most by it. All are 0 of nothing.
fn percents(sizes: &[u64]) -> Vec<u64> {
    let whole = sizes.iter().map(|size| u128::from(*size)).sum::<u128>();
    if whole == 0 {
        return vec![0; sizes.len()];
    }
    let exact = |size: &u64| (u128::from(*size) * 100 / whole, u128::from(*size) * 100 % whole);
    let shares: Vec<_> = sizes.iter().map(exact).collect();
    let mut percents: Vec<u64> = shares.iter().map(|(down, _)| u64::try_from(*down).unwrap_or(100)).collect();
    let mut by_loss: Vec<usize> = (0..sizes.len()).collect();
    by_loss.sort_by_key(|at| std::cmp::Reverse(shares[*at].1));
    let left = usize::try_from(100 - percents.iter().sum::<u64>().min(100)).unwrap_or_default();
    for at in by_loss.into_iter().take(left) {
        percents[at] += 1;
    }
    percents
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

#[cfg(test)]
mod tests {
    use super::percents;

    #[test]
    fn the_shares_of_layers_add_up() {
        for (sizes, expected) in [
            (&[1, 1, 1][..], &[34, 33, 33][..]),
            (&[10_400_000, 9_800_000, 2_600_000, 32], &[46, 43, 11, 0]),
            (&[0, 0], &[0, 0]),
            (&[5], &[100]),
            (&[u64::MAX, u64::MAX], &[50, 50]),
            (&[], &[]),
        ] {
            assert_eq!(percents(sizes), expected, "{sizes:?}");
        }
        let many: Vec<u64> = (1..=100).collect();
        assert_eq!(percents(&many).iter().sum::<u64>(), 100);
    }
}
