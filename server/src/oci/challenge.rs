//! The challenge of a 401: where a bearer is had, and for what.

use super::token::CATALOG;
use crate::app::App;
use crate::auth::extract::{bearer_of, is_upload};
use crate::names::RepositoryName;
use crate::policy::Principal;
use actix_web::http::{Method, header};
use actix_web::{HttpMessage as _, HttpRequest};

/// The value of `WWW-Authenticate`, after distribution's token authentication specification. The token endpoint itself
/// takes a password.
pub fn challenge(app: &App, request: &HttpRequest) -> String {
    if request.path() == "/token" {
        return format!("Basic realm=\"{}\", charset=\"UTF-8\"", app.config.public_host());
    }
    let realm = realm(app, request);
    let service = app.config.public_host();
    // Only a name that parses goes into the header.
    let name = request.match_info().get("name").and_then(|n| n.parse::<RepositoryName>().ok());
    let scope = match name {
        Some(name) => {
            let actions = match *request.method() {
                Method::GET | Method::HEAD if !is_upload(request) => "pull",
                Method::DELETE if !is_upload(request) => "delete",
                _ => "pull,push",
            };
            format!(",scope=\"repository:{name}:{actions}\"")
        }
        None if request.path() == "/v2/_catalog" => format!(",scope=\"{CATALOG}\""),
        None => String::new(),
    };
    let error = match wrong_with(request) {
        Some(code) => format!(",error=\"{code}\""),
        None => String::new(),
    };
    format!("Bearer realm=\"{realm}\",service=\"{service}\"{scope}{error}")
}

/// RFC 6750, section 3.1: what is wrong with the bearer that came. Without one there is no code.
fn wrong_with(request: &HttpRequest) -> Option<&'static str> {
    let given = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let scheme = given.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    if bearer_of(request).is_none_or(str::is_empty) {
        return Some("invalid_token");
    }
    // Whoever reads a good bearer leaves its principal with the request.
    let is_good = request.extensions().get::<Principal>().is_some();
    Some(if is_good { "insufficient_scope" } else { "invalid_token" })
}

// A builder reaches us by the internal URL and must find the token endpoint there; nobody else is believed.
fn realm(app: &App, request: &HttpRequest) -> String {
    let internal = crate::config::authority(&app.config.internal_url);
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    if host == internal && host != app.config.public_host() {
        format!("{}/token", app.config.internal_url.as_str().trim_end_matches('/'))
    } else {
        app.config.public_link("/token")
    }
}
