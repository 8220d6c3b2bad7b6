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

/// The link to the page after `last` (RFC 8288), relative.
pub(super) fn link(answer: &mut HttpResponseBuilder, path: &str, page: &Page, last: &str, more: &str) {
    let last = serde_urlencoded::to_string([("last", last)]).unwrap_or_default();
    answer.insert_header((header::LINK, format!("<{path}?n={}&{last}{more}>; rel=\"next\"", page.limit)));
}
