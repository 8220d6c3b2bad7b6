//! The registry's surface, OCI Distribution 1.1.

use crate::app::App;
use actix_web::HttpRequest;

/// The challenge of a 401: where a bearer is had, and for what.
pub fn challenge(app: &App, request: &HttpRequest) -> String {
    let realm = app.config.public_link("/token");
    let service = app.config.public_host();
    let scope = request.match_info().get("name").map_or_else(String::new, |name| {
        let actions = if matches!(request.method().as_str(), "GET" | "HEAD") { "pull" } else { "pull,push" };
        format!(",scope=\"repository:{name}:{actions}\"")
    });
    format!("Bearer realm=\"{realm}\",service=\"{service}\"{scope}")
}
