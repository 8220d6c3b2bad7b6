//! Pushing, pulling and deleting manifests.

use super::{conditions, path};
use crate::app::App;
use crate::db::rows;
use crate::error::{Context as _, Error, OciCode, Result};
use crate::names::{Reference, TagName};
use crate::policy::{Allowed, DeleteImage, PullImage};
use crate::registry::document::MOST_BYTES;
use crate::registry::manifests::{self, Push};
use crate::registry::media_type;
use crate::trust;
use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, BytesMut, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;

// The specification asks for ten at least; each is a row under the repository's lock.
const MOST_TAGS: usize = 100;

fn headers(status: StatusCode, manifest: &rows::Manifest) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_TYPE, media_type::served(&manifest.media_type).to_owned()))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header(("docker-content-digest", manifest.digest.clone()))
        .insert_header((header::ETAG, format!("\"{}\"", manifest.digest)))
        .insert_header((header::CONTENT_ENCODING, "identity"));
    answer
}

/// `GET …/manifests/{reference}`.
pub async fn get(allowed: Allowed<PullImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let manifest = manifests::get(&app, &allowed, &path::reference(&request)?).await?;
    if let Some(unchanged) = conditions::unchanged(&request, &manifest.digest, None)? {
        return Ok(unchanged);
    }
    let mut answer = headers(StatusCode::OK, &manifest);
    Ok(answer.body(manifest.body))
}

/// `HEAD …/manifests/{reference}`.
pub async fn head(allowed: Allowed<PullImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let manifest = manifests::get(&app, &allowed, &path::reference(&request)?).await?;
    if let Some(unchanged) = conditions::unchanged(&request, &manifest.digest, None)? {
        return Ok(unchanged);
    }
    let nothing = stream::empty::<std::io::Result<Bytes>>();
    let size = u64::try_from(manifest.size_bytes).unwrap_or_default();
    Ok(headers(StatusCode::OK, &manifest).body(SizedStream::new(size, nothing)))
}

/// `PUT …/manifests/{reference}`: what `docker push` sends last.
pub async fn put(request: HttpRequest, body: Payload, app: Data<App>) -> Result<HttpResponse> {
    let allowed = path::allowed_push(&app, &request).await?;
    let (reference, tags) = named(&request)?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let body = read(&request, body).await?;
    let push = Push { condition: conditions::of(&request), tags, ..Push::of(&allowed, content_type, body) };
    let pushed = trust::put_manifest(&app, &push, &reference).await?;
    let mut answer = HttpResponse::Created();
    for tag in &push.tags {
        answer.append_header(("oci-tag", tag.to_string()));
    }
    answer
        .insert_header((header::LOCATION, format!("/v2/{}/manifests/{}", allowed.on().name, pushed.digest)))
        .insert_header(("docker-content-digest", pushed.digest.as_str()));
    if let Some(subject) = &pushed.subject {
        answer.insert_header(("oci-subject", subject.as_str()));
    }
    Ok(answer.finish())
}

/// What a push names, and the tags that it moves besides. A tag with `?digest=` is a push by that digest, with this tag.
fn named(request: &HttpRequest) -> Result<(Reference, Vec<TagName>)> {
    let reference = path::reference(request)?;
    let tags = tags(request, &reference)?;
    let digests = path::all(request, "digest")?;
    match (reference, digests.as_slice()) {
        (reference, []) => Ok((reference, tags)),
        (Reference::Tag(tag), [digest]) if !tag.is_accessory() => Ok((Reference::Digest(digest.parse()?), vec![tag])),
        _ => Err(Error::invalid("`digest` goes with a push to a tag, once: `PUT …/manifests/1.2?digest=sha512:…`")),
    }
}

/// Tags of a push by digest, `?tag=1.2&tag=1`.
fn tags(request: &HttpRequest, reference: &Reference) -> Result<Vec<TagName>> {
    let mut tags: Vec<TagName> = Vec::new();
    for text in path::all(request, "tag")? {
        let tag: TagName = text.parse()?;
        if tag.is_accessory() {
            let text = format!("`{tag}` is for signatures and the like; push to it by its own address");
            return Err(Error::registry(OciCode::ManifestInvalid, text));
        }
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() && matches!(reference, Reference::Tag(_)) {
        return Err(Error::invalid("`tag` goes with a push by digest"));
    }
    if tags.len() > MOST_TAGS {
        return Err(Error::invalid(format!("one push moves at most {MOST_TAGS} tags")));
    }
    Ok(tags)
}

/// `DELETE …/manifests/{reference}`: a tag, or a manifest with all its tags.
pub async fn delete(allowed: Allowed<DeleteImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let reference = path::reference(&request)?;
    // To the end, also when its client goes away: many tags take a while.
    let condition = conditions::of(&request);
    let deleted = async move { manifests::delete_if(&app, &allowed, &reference, &condition).await }.in_current_span();
    actix_web::rt::spawn(deleted).await.context("deleting a manifest")??;
    Ok(HttpResponse::Accepted().finish())
}

/// At most 4 MiB, whatever the client says.
async fn read(request: &HttpRequest, mut body: Payload) -> Result<Bytes> {
    let too_large = || Error::TooLarge("a manifest has at most 4 MiB".into());
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|l| l > MOST_BYTES) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| Error::invalid(format!("the manifest broke off: {e}")))?;
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
