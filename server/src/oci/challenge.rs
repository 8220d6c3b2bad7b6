//! The challenge of a 401: where a bearer is had, and for what.

use crate::app::App;
use crate::auth::extract::is_upload;
use crate::names::RepositoryName;
use actix_web::HttpRequest;
use actix_web::http::{Method, header};

/// The value of `WWW-Authenticate`, after distribution's token authentication specification.
pub fn challenge(app: &App, request: &HttpRequest) -> String {
    let realm = realm(app, request);
    let service = app.config.public_host();
    // Only a name that parses goes into the header.
    let name = request.match_info().get("name").and_then(|n| n.parse::<RepositoryName>().ok());
    let scope = name.map_or_else(String::new, |name| {
        let actions = match *request.method() {
            Method::GET | Method::HEAD if !is_upload(request) => "pull",
            Method::DELETE if !is_upload(request) => "delete",
            _ => "pull,push",
        };
        format!(",scope=\"repository:{name}:{actions}\"")
    });
    let has_bearer = request.headers().contains_key(header::AUTHORIZATION);
    let error = if has_bearer { ",error=\"insufficient_scope\"" } else { "" };
    format!("Bearer realm=\"{realm}\",service=\"{service}\"{scope}{error}")
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
