//! Pushing blobs: start, append, finish, status, cancel, mount. OCI distribution-spec, "Pushing blobs".

use super::path;
use crate::app::App;
use crate::db::rows;
use crate::error::{Context as _, Error, OciCode, Result};
use crate::names::{Digest, RepositoryName};
use crate::registry::uploads::{self, Chunk};
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use tracing::Instrument as _;

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

/// `POST …/uploads/`, with `?digest=` for one request, `?mount=&from=`, or `?digest-algorithm=`.
pub async fn start(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let query = path::query(&request)?;
    let given = |key: &str| query.get(key).filter(|value| !value.is_empty());
    if let (Some(mount), Some(from)) = (given("mount"), given("from")) {
        let digest = mount.parse()?;
        if let Some(source) = path::allowed_pull_of(&app, &request, from).await?
            && uploads::mount(&app, &allowed, &source, &digest).await?
        {
            return Ok(created(&allowed.on().name, &digest));
        }
    }
    let digest: Option<Digest> = query.get("digest").map(|digest| digest.parse()).transpose()?;
    let algorithm = query.get("digest-algorithm").map(|algorithm| algorithm.parse()).transpose()?;
    let upload = uploads::start(&app, &allowed).await?;
    let Some(digest) = digest else {
        uploads::expect(&app, &upload, algorithm.unwrap_or_default());
        return Ok(progress(HttpResponse::Accepted(), &allowed.on().name, &upload));
    };
    to_the_end(async move {
        let name = &allowed.on().name;
        let whole = Chunk { from: None, body };
        uploads::finish(&app, &allowed, &upload, Some(whole), &digest, &location(name, &upload)).await?;
        Ok(created(name, &digest))
    })
    .await
}

/// `PATCH`: a chunk, or everything in one stream.
pub async fn append(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let upload = uploads::find(&app, &allowed, request.match_info().query("id")).await?;
    let location = location(&allowed.on().name, &upload);
    let from = chunk_start(&request, &upload, &location)?;
    to_the_end(async move {
        let upload = uploads::append(&app, &upload, Chunk { from, body }, &location).await?;
        Ok(progress(HttpResponse::Accepted(), &allowed.on().name, &upload))
    })
    .await
}

/// `PUT ?digest=`: the last chunk, if any, and the end.
pub async fn finish(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let upload = uploads::find(&app, &allowed, request.match_info().query("id")).await?;
    let query = path::query(&request)?;
    let digest: Digest = query
        .get("digest")
        .ok_or_else(|| Error::registry(OciCode::DigestInvalid, "the closing PUT names the digest: `?digest=sha256:…`"))?
        .parse()?;
    let location = location(&allowed.on().name, &upload);
    let last =
        if has_body(&request) { Some(Chunk { from: chunk_start(&request, &upload, &location)?, body }) } else { None };
    to_the_end(async move {
        uploads::finish(&app, &allowed, &upload, last, &digest, &location).await?;
        Ok(created(&allowed.on().name, &digest))
    })
    .await
}

/// Does the work even if its client goes away, for then the server drops the handler: what was stored has to be
/// committed, and the upload let go for the client's next try.
async fn to_the_end(work: impl Future<Output = Result<HttpResponse>> + 'static) -> Result<HttpResponse> {
    actix_web::rt::spawn(work.in_current_span()).await.context("an upload")?
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
fn chunk_start(request: &HttpRequest, upload: &rows::Upload, location: &str) -> Result<Option<u64>> {
    let Some(range) = request.headers().get(header::CONTENT_RANGE) else { return Ok(None) };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    match range.to_str().ok().and_then(parse_range) {
        Some((start, end)) if length.is_none_or(|length| (end - start).checked_add(1) == Some(length)) => {
            Ok(Some(start))
        }
        _ => Err(Error::WrongOffset {
            offset: u64::try_from(upload.offset_bytes).unwrap_or_default(),
            location: location.to_owned(),
        }),
    }
}

/// `start-end`, both in bytes; also as RFC 9110 writes it, `bytes start-end/size`.
fn parse_range(text: &str) -> Option<(u64, u64)> {
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let (start, end) = text.split('/').next()?.split_once('-')?;
    let (start, end) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    (start <= end).then_some((start, end))
}
