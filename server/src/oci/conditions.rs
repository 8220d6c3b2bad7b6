//! What a request says of its preconditions: RFC 9110, section 13.

use crate::db::rows;
use crate::error::Result;
use crate::registry::manifests::{self, Condition};
use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

/// All lines of a header, as one.
fn value(request: &HttpRequest, name: HeaderName) -> Option<String> {
    let lines: Vec<_> = request.headers().get_all(name).map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

pub(super) fn of(request: &HttpRequest) -> Condition {
    let (is, is_not) = (value(request, header::IF_MATCH), value(request, header::IF_NONE_MATCH));
    Condition::of(is.as_deref(), is_not.as_deref())
}

/// The answer to a reader who has it already: 304, without a body. What the whole answer says of how long it may be kept,
/// this one says too (section 15.4.5).
pub(super) fn unchanged(
    request: &HttpRequest,
    digest: &str,
    kept: Option<&'static str>,
) -> Result<Option<HttpResponse>> {
    if !of(request).is_known(digest)? {
        return Ok(None);
    }
    let mut answer = HttpResponse::build(StatusCode::NOT_MODIFIED);
    answer.insert_header((header::ETAG, format!("\"{digest}\""))).insert_header(("docker-content-digest", digest));
    if let Some(kept) = kept {
        answer.insert_header((header::CACHE_CONTROL, kept));
    }
    Ok(Some(answer.finish()))
}

/// Whether `Range` counts: for `GET` only, and where `If-Range` names what is there.
pub(super) fn wants_part(request: &HttpRequest, blob: &rows::Blob) -> bool {
    let if_range = value(request, header::IF_RANGE);
    request.method() == Method::GET && if_range.is_none_or(|tag| manifests::allows_part(&tag, &blob.digest))
}
