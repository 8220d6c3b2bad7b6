//! What every answer carries and every form is checked for: security headers, and same-origin requests only.

use crate::app::App;
use crate::error::Error;
use crate::http::faces::Surface;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'";

/// For what is no page: whatever it is taken for, it runs nothing, loads nothing, and has no origin.
const INERT: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// Refuses what other sites make a browser send.
pub async fn same_origin(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let changes = !matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    if Surface::of(req.path()) == Surface::Page && changes && !is_same_origin(&app_of(&req), req.headers()) {
        let refusal =
            Error::Forbidden("this form was sent by another site; open the page here and send it again".into());
        return Ok(req.error_response(refusal));
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// Sets the security headers, on error pages too.
pub async fn headers(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let (app, surface) = (app_of(&req), Surface::of(req.path()));
    let mut response = next.call(req).await?;
    let is_page = surface == Surface::Page && !is_inert(response.headers());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    if is_page {
        set(headers, header::CONTENT_SECURITY_POLICY, CSP);
    } else {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(INERT));
    }
    if surface == Surface::Page {
        set(headers, header::REFERRER_POLICY, "same-origin");
        set(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        set(headers, HeaderName::from_static("permissions-policy"), "clipboard-write=(self)");
        set(headers, header::CACHE_CONTROL, "no-store");
    }
    if app.config.is_https() {
        set(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    Ok(response)
}

/// What is served among pages and is none: raw logs, public keys, streams of events. Pages, and our own styles, scripts
/// and pictures, have the policy of pages.
fn is_inert(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).map(|v| v.to_str().unwrap_or_default());
    let essence = media_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|it| !matches!(it, "text/html" | "text/css" | "text/javascript" | "image/svg+xml"))
}

fn app_of(req: &ServiceRequest) -> Data<App> {
    req.app_data::<Data<App>>().expect("the app is registered before any route").clone()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

// Browsers send `Sec-Fetch-Site`; older ones at least `Origin` with a POST. One of them must say that it was us.
fn is_same_origin(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let origin = text("origin").map(|o| o == app.config.public_url.origin().ascii_serialization());
    match (text("sec-fetch-site"), origin) {
        (Some(site), _) if site != "same-origin" => false,
        (_, Some(same)) => same,
        (Some(_), None) => true,
        (None, None) => false,
    }
}
