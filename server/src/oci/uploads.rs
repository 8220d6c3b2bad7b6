//! Pushing blobs: start, append, finish, status, cancel, mount. OCI distribution-spec, "Pushing blobs".

use super::path;
use crate::app::App;
use crate::db::rows;
use crate::error::{Error, OciCode, Result};
use crate::names::{Digest, RepositoryName};
use crate::registry::uploads;
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

// Relative: whoever came by whatever name goes on there.
fn location(name: &RepositoryName, upload: &rows::Upload) -> String {
    format!("/v2/{name}/blobs/uploads/{}", upload.id)
}

fn progress(mut answer: HttpResponseBuilder, name: &RepositoryName, upload: &rows::Upload) -> HttpResponse {
    answer
        .insert_header((header::LOCATION, location(name, upload)))
        .insert_header((header::RANGE, format!("0-{}", upload.offset_bytes.saturating_sub(1).max(0))))
        .insert_header(("docker-upload-uuid", upload.id.to_string()))
        .finish()
}

fn created(name: &RepositoryName, digest: &Digest) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/v2/{name}/blobs/{digest}")))
        .insert_header(("docker-content-digest", digest.as_str()))
        .finish()
}

/// `POST …/uploads/`, with `?digest=` for one request, or `?mount=&from=`.
pub async fn start(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let name = &allowed.on().name;
    let query = path::query(&request)?;
    if let (Some(mount), Some(from)) = (query.get("mount"), query.get("from")) {
        let digest = mount.parse()?;
        if let Some(source) = path::allowed_pull_of(&app, &request, from).await?
            && uploads::mount(&app, &allowed, &source, &digest).await?
        {
            return Ok(created(name, &digest));
        }
    }
    let upload = uploads::start(&app, &allowed).await?;
    let Some(digest) = query.get("digest") else {
        return Ok(progress(HttpResponse::Accepted(), name, &upload));
    };
    let digest = digest.parse()?;
    let upload = uploads::append(&app, &upload, None, body, &location(name, &upload)).await?;
    uploads::finish(&app, &allowed, &upload, &digest).await?;
    Ok(created(name, &digest))
}

/// `PATCH`: a chunk, or everything in one stream.
pub async fn append(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let name = &allowed.on().name;
    let upload = uploads::find(&app, &allowed, request.match_info().query("id")).await?;
    let from = chunk_start(&request)?;
    let upload = uploads::append(&app, &upload, from, body, &location(name, &upload)).await?;
    Ok(progress(HttpResponse::Accepted(), name, &upload))
}

/// `PUT ?digest=`: the last chunk, if any, and the end.
pub async fn finish(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let name = &allowed.on().name;
    let mut upload = uploads::find(&app, &allowed, request.match_info().query("id")).await?;
    let query = path::query(&request)?;
    let digest = query
        .get("digest")
        .ok_or_else(|| Error::registry(OciCode::DigestInvalid, "the closing PUT names the digest: `?digest=sha256:…`"))?
        .parse()?;
    if has_body(&request) {
        let from = chunk_start(&request)?;
        upload = uploads::append(&app, &upload, from, body, &location(name, &upload)).await?;
    }
    uploads::finish(&app, &allowed, &upload, &digest).await?;
    Ok(created(name, &digest))
}

/// `GET`: how much is stored.
pub async fn status(request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let upload = uploads::find(&app, &allowed, request.match_info().query("id")).await?;
    Ok(progress(HttpResponse::NoContent(), &allowed.on().name, &upload))
}

/// `DELETE`: gives up.
pub async fn cancel(request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let upload = uploads::find(&app, &allowed, request.match_info().query("id")).await?;
    uploads::cancel(&app, &upload).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn has_body(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    length.is_some_and(|l| l.trim() != "0") || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// The offset in `Content-Range: start-end`, if it is there and fits the length.
fn chunk_start(request: &HttpRequest) -> Result<Option<u64>> {
    let Some(range) = request.headers().get(header::CONTENT_RANGE) else { return Ok(None) };
    let wrong = || {
        Error::registry(OciCode::BlobUploadInvalid, "Content-Range is `start-end`, both in bytes, as long as the body")
    };
    let text = range.to_str().map_err(|_not_text| wrong())?;
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let text = text.split('/').next().unwrap_or_default();
    let (start, end) = text.split_once('-').ok_or_else(wrong)?;
    let (start, end): (u64, u64) = match (start.trim().parse(), end.trim().parse()) {
        (Ok(start), Ok(end)) if start <= end => (start, end),
        _ => return Err(wrong()),
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| (end - start).checked_add(1) != Some(length)) {
        return Err(wrong());
    }
    Ok(Some(start))
}
