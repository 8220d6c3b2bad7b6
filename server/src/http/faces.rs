//! The three faces of an error: OCI codes, `application/problem+json` (RFC 9457), or a page.
//!
//! A middleware draws them by path, so the framework's own 404, 405 and 413 get the same faces.

use super::request_id::RequestId;
pub use super::surface::Surface;
use crate::app::App;
use crate::error::{Error, OciCode};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;

// The middleware below draws the body; this only carries the error and its status.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).expect("statuses are written by hand")
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        HttpResponse::new(self.status_code())
    }
}

/// Draws errors, and gives a face to the framework's own.
pub async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let surface = Surface::of(req.path());
    let response = next.call(req).await?;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return Ok(response.map_into_boxed_body());
    }
    let (request, response) = response.into_parts();
    if response.error().is_none() && response.headers().contains_key(header::CONTENT_TYPE) {
        // The handler drew it itself: a form with its errors, an OCI answer.
        return Ok(ServiceResponse::new(request, response.map_into_boxed_body()));
    }
    let own = response.error().and_then(|e| e.as_error::<Error>());
    let foreign = response.error().map(ToString::to_string);
    let drawn = match own {
        Some(error) => draw(&request, surface, error),
        None => draw(&request, surface, &of_framework(status, foreign.as_deref())),
    };
    let drawn = keep_headers(drawn, response.headers());
    Ok(ServiceResponse::new(request, drawn))
}

fn of_framework(status: StatusCode, text: Option<&str>) -> Error {
    match status.as_u16() {
        404 => Error::NotFound("this page".into()),
        405 => Error::Registry { code: OciCode::Unsupported, message: "this method is not supported here".into() },
        413 => Error::TooLarge("the request is larger than this page accepts".into()),
        status if status >= 500 => Error::internal("the framework", text.unwrap_or("no text").to_owned()),
        _ if text.is_some_and(|text| text.starts_with("Query ")) => {
            Error::invalid("part of this address could not be understood")
        }
        _ => Error::invalid("part of this request could not be understood"),
    }
}

fn keep_headers(mut drawn: HttpResponse, from: &HeaderMap) -> HttpResponse {
    if from.contains_key(header::ALLOW) {
        // The router knows it better.
        drawn.headers_mut().remove(header::ALLOW);
    }
    for name in [header::ALLOW, header::WWW_AUTHENTICATE, header::SET_COOKIE] {
        for value in from.get_all(&name) {
            let value = if name == header::ALLOW { with_head(value) } else { value.clone() };
            drawn.headers_mut().append(name.clone(), value);
        }
    }
    drawn
}

/// `HEAD` is answered wherever `GET` is, by a middleware that the router knows nothing of.
fn with_head(allowed: &HeaderValue) -> HeaderValue {
    let text = allowed.to_str().unwrap_or_default();
    let methods: Vec<&str> = text.split(',').map(str::trim).collect();
    if !methods.contains(&"GET") || methods.contains(&"HEAD") {
        return allowed.clone();
    }
    HeaderValue::from_str(&text.replacen("GET", "GET, HEAD", 1)).unwrap_or_else(|_| allowed.clone())
}

fn draw(request: &HttpRequest, surface: Surface, error: &Error) -> HttpResponse {
    let id = request.extensions().get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
    if matches!(error, Error::Busy { .. }) {
        // By the will of whoever asks that much: no failure that a person should look at.
        tracing::info!(http.path = request.path(), "{} {}: {error}", request.method(), request.path());
    } else if error.status() >= 500 {
        tracing::error!(http.path = request.path(), "{} {}: {}", request.method(), request.path(), error.for_log());
    }
    let mut response = match surface {
        Surface::Registry => registry_face(request, error),
        Surface::Json => problem_face(error, &id),
        Surface::Page => crate::web::errors::page(request, error, &id),
    };
    if let Some(secs) = error.retry_after_secs() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    response
}

/// OCI distribution-spec, "Error Codes".
fn registry_face(request: &HttpRequest, error: &Error) -> HttpResponse {
    let code = match error {
        Error::Registry { code, .. } => code.as_str(),
        Error::Unauthorized(_) => "UNAUTHORIZED",
        Error::Forbidden(_) | Error::Full => "DENIED",
        Error::NotFound(_) | Error::Absent(_) | Error::Gone(_) => "NAME_UNKNOWN",
        Error::TooManyRequests { .. } | Error::TooMany(_) | Error::Busy { .. } => "TOOMANYREQUESTS",
        Error::TooLarge(_) if request.match_info().get("reference").is_some() => "MANIFEST_INVALID",
        // The specification has none for it; clients go by the status.
        Error::Precondition(_) => "PRECONDITION_FAILED",
        Error::RangeNotSatisfiable { .. } | Error::WrongOffset { .. } => "BLOB_UPLOAD_INVALID",
        // Only the addresses of uploads have an id.
        Error::Conflict(_) if request.match_info().get("id").is_some() => "BLOB_UPLOAD_INVALID",
        Error::Invalid(_) | Error::Conflict(_) | Error::TooSlow | Error::TooLarge(_) => "UNSUPPORTED",
        Error::Unavailable(_) | Error::Forge(_) | Error::Internal { .. } => "UNKNOWN",
    };
    let status = if matches!(error, Error::Full) { StatusCode::FORBIDDEN } else { error.status_code() };
    let mut response = HttpResponse::build(status);
    match error {
        Error::Unauthorized(_) => {
            if let Some(app) = request.app_data::<web::Data<App>>() {
                response.insert_header((header::WWW_AUTHENTICATE, crate::oci::challenge(app, request)));
            }
        }
        // RFC 9110, section 15.5.6: a 405 says what is possible. The framework's own says it itself.
        Error::Registry { code: OciCode::Unsupported, .. } if request.method() == Method::DELETE => {
            response.insert_header((header::ALLOW, "GET, HEAD"));
        }
        Error::RangeNotSatisfiable { size } => {
            response.insert_header((header::CONTENT_RANGE, format!("bytes */{size}")));
        }
        Error::WrongOffset { offset, location } => {
            response.insert_header((header::RANGE, format!("0-{}", offset.saturating_sub(1))));
            response.insert_header((header::LOCATION, location.clone()));
        }
        _ => {}
    }
    response.json(json!({"errors": [{"code": code, "message": error.to_string()}]}))
}

/// RFC 9457.
fn problem_face(error: &Error, request_id: &str) -> HttpResponse {
    HttpResponse::build(error.status_code()).content_type("application/problem+json").body(
        json!({
            "type": format!("about:blank#{}", error.code()),
            "title": error.to_string(),
            "status": error.status(),
            "code": error.code(),
            "request_id": request_id,
        })
        .to_string(),
    )
}
