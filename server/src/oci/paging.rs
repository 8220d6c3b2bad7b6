//! Pages of lists: `n` and `last`, and the `Link` to the next page.

use crate::error::{Error, Result};
use actix_web::HttpResponseBuilder;
use actix_web::http::header;
use std::collections::HashMap;

/// A page holds at most this, whatever `n` says: CVE-2023-2253.
const MOST: u64 = 1_000;

pub(super) struct Page {
    pub(super) limit: u64,
    /// Entries after this one, in byte order.
    pub(super) after: String,
}

pub(super) fn parse(query: &HashMap<String, String>) -> Result<Page> {
    let limit = match query.get("n") {
        None => MOST,
        // Anything that is a number is good, be it larger than ours hold.
        Some(n) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => n.parse().unwrap_or(MOST).min(MOST),
        Some(_) => return Err(Error::invalid("`n` is a number of entries, 0 or more")),
    };
    let after = query.get("last").cloned().unwrap_or_default();
    // PostgreSQL has no text with a NUL in it, and no name has any of these.
    if after.len() > 1_024 || after.contains(char::is_control) {
        return Err(Error::invalid("`last` is the last entry of the page before: a name or a tag"));
    }
    Ok(Page { limit, after })
}

impl Page {
    /// Cuts a list that was asked one entry longer down to the page, and tells whether there was more.
    pub(super) fn cut<T>(&self, list: &mut Vec<T>) -> bool {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = list.len() > most;
        list.truncate(most);
        has_more
    }
}

/// The link to the page after `last` (RFC 8288), relative, if there is one; `more` is the rest of the query.
pub(super) fn link(
    answer: &mut HttpResponseBuilder,
    path: &str,
    page: &Page,
    has_more: bool,
    last: Option<&str>,
    more: &str,
) {
    let Some(last) = last.filter(|_| has_more) else { return };
    let last = serde_urlencoded::to_string([("last", last)]).unwrap_or_default();
    answer.insert_header((header::LINK, format!("<{path}?n={}&{last}{more}>; rel=\"next\"", page.limit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &[(&str, &str)]) -> Option<(u64, String)> {
        let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        parse(&query).ok().map(|page| (page.limit, page.after))
    }

    #[test]
    fn a_page_has_a_most_and_plain_numbers_only() {
        assert_eq!(page(&[]), Some((MOST, String::new())));
        for (n, limit) in [("0", 0), ("1", 1), ("007", 7), ("999", 999), ("1000", MOST), ("1001", MOST)] {
            assert_eq!(page(&[("n", n)]), Some((limit, String::new())), "{n}");
        }
        for n in ["2147483647", "18446744073709551616", "99999999999999999999999999"] {
            assert_eq!(page(&[("n", n)]), Some((MOST, String::new())), "{n}");
        }
        for n in ["", "-1", "+1", " 1", "1.5", "1e3", "0x10", "abc", "\0", "\u{661}"] {
            assert_eq!(page(&[("n", n)]), None, "{n:?}");
        }
    }

    #[test]
    fn a_page_starts_after_any_text_that_a_name_could_be() {
        let longest = "a".repeat(1_024);
        for last in ["", "v1", "a/b", "%25", "' OR 1=1--", "\u{e9}", &longest] {
            assert_eq!(page(&[("last", last)]), Some((MOST, last.to_owned())), "{last}");
        }
        for last in ["\0", "a\n", "\u{85}", &format!("{longest}a")] {
            assert_eq!(page(&[("last", last)]), None, "{last:?}");
        }
    }

    #[test]
    fn a_list_is_cut_to_its_page() {
        for (limit, entries, left) in [(2, 3, (2, true)), (2, 2, (2, false)), (0, 1, (0, true)), (2, 0, (0, false))] {
            let mut list = vec![(); entries];
            let has_more = Page { limit, after: String::new() }.cut(&mut list);
            assert_eq!((list.len(), has_more), left, "{entries} of {limit}");
        }
    }
}
