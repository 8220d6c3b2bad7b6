//! The row of page links below long lists.

use super::page::ROWS;
use super::views::layout::Pages;
use serde::Deserialize;

/// What a filtered list is asked for: `?q=&page=`.
#[derive(Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    pub q: String,
    /// From 1; 0 when it is not given.
    #[serde(default)]
    pub page: u64,
}

/// Links around page `number` of `total` entries at `path`, which keep the filter.
pub fn pages(number: u64, total: u64, path: &str, query: &str) -> Pages {
    let last = total.div_ceil(ROWS).max(1);
    let url = |page: u64| {
        let mut pairs = Vec::new();
        if !query.is_empty() {
            pairs.push(("q", query.to_owned()));
        }
        pairs.push(("page", page.to_string()));
        format!("{path}?{}", serde_urlencoded::to_string(pairs).unwrap_or_default())
    };
    Pages {
        number,
        last,
        previous_url: (number > 1).then(|| url(number - 1)),
        next_url: (number < last).then(|| url(number + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_filter_and_end_at_the_ends() {
        let middle = pages(2, 65, "/a/b/-/tags", "v1&x");
        assert_eq!(middle.last, 3);
        assert_eq!(middle.previous_url.as_deref(), Some("/a/b/-/tags?q=v1%26x&page=1"));
        assert_eq!(middle.next_url.as_deref(), Some("/a/b/-/tags?q=v1%26x&page=3"));
        let only = pages(1, 0, "/a", "");
        assert_eq!((only.last, only.previous_url, only.next_url), (1, None, None));
    }
}
