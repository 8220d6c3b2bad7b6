//! What GitHub means with its refusals.

use crate::error::ForgeError;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: String,
    errors: Vec<serde_json::Value>,
}

/// The meaning of an answer outside of 2xx and 304.
pub fn meaning(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ForgeError {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    match status.as_u16() {
        401 => ForgeError::Revoked,
        403 | 429 => refused_for_now(headers, &body)
            .map_or_else(|| forbidden(status, &body), |secs| ForgeError::RateLimited(secs.max(1))),
        404 | 410 => ForgeError::NotFound,
        400..=499 => ForgeError::Refused(body.text(status)),
        _ => ForgeError::Unreachable(format!("it answered {}", status.as_u16())),
    }
}

// docs.github.com, "Rate limits for the REST API": `retry-after`, else the reset time once nothing remains.
fn refused_for_now(headers: &HeaderMap, body: &Body) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if let Some(secs) = number("retry-after") {
        return Some(secs);
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let wait = number("x-ratelimit-reset").zip(answered_at(headers)).map(|(reset, now)| reset.saturating_sub(now));
        return Some(wait.unwrap_or(60));
    }
    body.message.to_lowercase().contains("rate limit").then_some(60)
}

/// By the forge's clock, as its reset time is: seconds since 1970.
fn answered_at(headers: &HeaderMap) -> Option<u64> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?.replace("GMT", "+0000");
    u64::try_from(OffsetDateTime::parse(&date, &Rfc2822).ok()?.unix_timestamp()).ok()
}

fn forbidden(status: StatusCode, body: &Body) -> ForgeError {
    if body.message.contains("OAuth App access restrictions") {
        return ForgeError::NotApproved;
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return ForgeError::RateLimited(60);
    }
    ForgeError::Refused(body.text(status))
}

impl Body {
    /// The message and its details, short enough for a page.
    fn text(&self, status: StatusCode) -> String {
        let details = self.errors.iter().filter_map(|e| e.get("message").unwrap_or(e).as_str());
        let parts: Vec<&str> =
            std::iter::once(self.message.as_str()).chain(details).filter(|t| !t.is_empty()).collect();
        let text = if parts.is_empty() { format!("it answered {}", status.as_u16()) } else { parts.join(": ") };
        text.chars().filter(|c| !c.is_control()).take(300).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(&'static str, &str)], body: &str) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        format!("{:?}", meaning(StatusCode::from_u16(status).unwrap(), &map, body.as_bytes()))
    }

    #[test]
    fn refusals_have_a_meaning() {
        let restricted = r#"{"message":"… the `acme` organization has enabled OAuth App access restrictions, …"}"#;
        let hook = r#"{"message":"Validation Failed","errors":[{"resource":"Hook","message":"url is not supported"}]}"#;
        let date = ("date", "Thu, 01 Jan 1970 00:00:02 GMT");
        for (status, headers, body, expected) in [
            (401, &[][..], "{}", "Revoked"),
            (404, &[], "not even JSON", "NotFound"),
            (403, &[], restricted, "NotApproved"),
            (403, &[], r#"{"message":"Must have admin rights"}"#, r#"Refused("Must have admin rights")"#),
            (403, &[("retry-after", "7")], "{}", "RateLimited(7)"),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9"), date], "{}", "RateLimited(7)"),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1"), date], "{}", "RateLimited(1)"),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")], "{}", "RateLimited(60)"),
            (403, &[("x-ratelimit-remaining", "12")], r#"{"message":"no"}"#, r#"Refused("no")"#),
            (403, &[], r#"{"message":"You have exceeded a secondary rate limit."}"#, "RateLimited(60)"),
            (429, &[], "", "RateLimited(60)"),
            (422, &[], hook, r#"Refused("Validation Failed: url is not supported")"#),
            (500, &[], "", r#"Unreachable("it answered 500")"#),
            (302, &[], "", r#"Unreachable("it answered 302")"#),
        ] {
            assert_eq!(of(status, headers, body), expected, "{status} {body}");
        }
    }
}
