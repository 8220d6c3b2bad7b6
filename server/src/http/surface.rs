//! Which surface a path belongs to, and which paths are refused because they could be read in two ways.
//!
//! Routes match a path after decoding it. So that nothing here decides by one text and the router by another, the same
//! character is spelled in one way only: what RFC 3986 calls unreserved is not percent-encoded, and no segment is empty,
//! `.` or `..`. A legal path then begins with the same first segment, encoded or decoded.

use crate::error::{Error, OciCode, Result};
use actix_web::Error as ActixError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

/// Where an answer goes, by the path that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    Registry,
    Json,
    Page,
}

impl Surface {
    /// By what the path could mean at most: a refused path, too, is answered in the manner of what it points at.
    pub fn of(path: &str) -> Self {
        let plain = decoded(path);
        let mut segments: Vec<&str> = Vec::new();
        for segment in plain.split(['/', '\\']) {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other),
            }
        }
        match segments.first().copied().unwrap_or_default() {
            "v2" | "token" => Self::Registry,
            "builder" | "hooks" | "api" | "healthz" | "readyz" => Self::Json,
            _ => Self::Page,
        }
    }
}

/// Refuses what could be read in two ways, before anything else looks at it.
pub async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    match one_meaning(req.path()) {
        Ok(()) => Ok(next.call(req).await?.map_into_boxed_body()),
        Err(refusal) => Ok(req.error_response(refusal)),
    }
}

/// Whether the path, as it was sent, has one meaning.
fn one_meaning(path: &str) -> Result<()> {
    let (why, at) = if let Some(at) = encoded_unreserved(path) {
        ("the address spells a plain letter, digit or one of `-._~` as a percent code", at)
    } else if let Some(at) = dotted_or_empty(path) {
        ("the address has an empty part, or a part that is `.` or `..`", at)
    } else {
        return Ok(());
    };
    Err(refusal(path, at, why))
}

/// The place of the first `%xx` that stands for an unreserved character: RFC 3986, section 2.3.
fn encoded_unreserved(path: &str) -> Option<usize> {
    let escapes = path.match_indices('%').map(|(at, _)| at);
    escapes.into_iter().find(|at| byte(path, *at).is_some_and(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)))
}

/// The byte that `%xx` at this place stands for.
fn byte(path: &str, at: usize) -> Option<u8> {
    let digits = path.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// The place of the first segment that is empty, `.` or `..`; only the last one may be empty. An encoded slash and a
/// backslash, which some programs take for a slash, hide no dots.
fn dotted_or_empty(path: &str) -> Option<usize> {
    let mut at = 0;
    let last = path.split('/').count() - 1;
    for (number, segment) in path.split('/').enumerate() {
        let is_end = number == 0 || number == last;
        let lower = segment.to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
        if (segment.is_empty() && !is_end) || lower.split('/').any(|part| part == "." || part == "..") {
            return Some(at);
        }
        at += segment.len() + 1;
    }
    None
}

/// Clients of the registry read codes: the one of what the wrong part stands for.
fn refusal(path: &str, at: usize, why: &str) -> Error {
    if Surface::of(path) != Surface::Registry {
        return Error::invalid(why);
    }
    let before: Vec<&str> = path[..at].split('/').filter(|part| !part.is_empty()).collect();
    let is_last = !path[at..].trim_start_matches('/').contains('/');
    let kind = before.iter().rev().find(|part| ["blobs", "referrers", "manifests", "uploads"].contains(part));
    let code = match kind.copied().filter(|_| is_last) {
        Some("blobs" | "referrers") => OciCode::DigestInvalid,
        Some("manifests") => OciCode::ManifestInvalid,
        Some("uploads") => OciCode::BlobUploadInvalid,
        _ => OciCode::NameInvalid,
    };
    Error::registry(code, why)
}

/// All that is encoded, decoded; only to tell where a path leads.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        let raw = path.as_bytes()[at];
        let escaped = byte(path, at).filter(|_| raw == b'%');
        bytes.push(escaped.unwrap_or(raw));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
