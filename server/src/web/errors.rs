//! Error pages, each with a way on.

use crate::error::Error;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};

/// The page for an error.
pub fn page(_request: &HttpRequest, error: &Error, _request_id: &str) -> HttpResponse {
    HttpResponse::build(error.status_code()).content_type("text/plain; charset=utf-8").body(error.to_string())
}
