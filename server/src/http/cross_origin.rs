//! What the registry tells a browser: the methods of an address, and which other sites may use them.
//!
//! Nobody may unless the operator names them. A site that is named sends its own bearer, and nothing that a browser adds
//! by itself: no credentials are allowed, so a person's session is of no use to it.

use super::faces::Surface;
use crate::app::App;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

/// What clients of the registry send.
const SENT: &str = "Accept, Authorization, Cache-Control, Content-Range, Content-Type, If-Match, If-None-Match, \
    If-Range, Range";
/// What they read of an answer.
const READ: &str = "Accept-Ranges, Content-Length, Content-Range, Docker-Content-Digest, \
    Docker-Distribution-Api-Version, Docker-Upload-UUID, ETag, Link, Location, OCI-Filters-Applied, OCI-Subject, OCI-Tag, \
    Range, Retry-After, WWW-Authenticate, X-Request-Id";
/// Browsers ask again after ten minutes.
const MAX_AGE: &str = "600";

/// Answers `OPTIONS` with the methods that the address has: RFC 9110, section 9.3.7.
pub(super) async fn methods(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asks = req.method() == Method::OPTIONS && Surface::of(req.path()) == Surface::Registry;
    let response = next.call(req).await?;
    if !asks || response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return Ok(response.map_into_boxed_body());
    }
    // The router's own answer to a method that no route of the address has.
    let allowed = response.headers().get(header::ALLOW).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let allowed = if allowed.is_empty() { "OPTIONS".to_owned() } else { format!("{allowed}, OPTIONS") };
    Ok(response.into_response(HttpResponse::NoContent().insert_header((header::ALLOW, allowed)).finish()))
}

/// Lets the sites that the operator named read the registry's answers: the CORS protocol of the Fetch standard.
pub(super) async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = req.app_data::<Data<App>>().expect("the app is registered before any route").clone();
    let origins = &app.config.cors_origins;
    if origins.is_empty() || Surface::of(req.path()) != Surface::Registry {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let origin = req.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|origin| origins.iter().any(|known| known.as_bytes() == origin.as_bytes()));
    let is_preflight =
        req.method() == Method::OPTIONS && req.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = next.call(req).await?.map_into_boxed_body();
    let methods = response.headers().get(header::ALLOW).cloned();
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return Ok(response) };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if is_preflight {
        set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, SENT);
        set(headers, header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(methods) = methods {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
    } else {
        set(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, READ);
    }
    Ok(response)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
