//! Pulling and deleting blobs.

use super::{conditions, path};
use crate::app::App;
use crate::db::rows;
use crate::error::{Error, Result};
use crate::policy::{Allowed, DeleteImage, PullImage};
use crate::registry::blobs;
use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;

/// A blob is what its digest says, for ever; but who may read it may change.
const KEPT: &str = "private, max-age=31536000, immutable";

fn headers(status: StatusCode, blob: &rows::Blob) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header(("docker-content-digest", blob.digest.clone()))
        .insert_header((header::ETAG, format!("\"{}\"", blob.digest)))
        // Whatever is in it: a browser keeps it as a file, and never shows it.
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CACHE_CONTROL, KEPT))
        // Never compressed on the way: its bytes are its identity.
        .insert_header((header::CONTENT_ENCODING, "identity"));
    answer
}

fn size(blob: &rows::Blob) -> u64 {
    u64::try_from(blob.size_bytes).unwrap_or_default()
}

/// `GET …/blobs/{digest}`, with `Range`.
pub async fn get(allowed: Allowed<PullImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let blob = blobs::find(&app, &allowed, &path::digest(&request)?).await?;
    if let Some(unchanged) = conditions::unchanged(&request, &blob.digest, Some(KEPT))? {
        return Ok(unchanged);
    }
    let size = size(&blob);
    let part = if conditions::wants_part(&request, &blob) { range(&request, size)? } else { None };
    let Some((start, end)) = part else {
        let bytes = blobs::read(&app, &blob, 0, size).await?;
        return Ok(headers(StatusCode::OK, &blob).body(SizedStream::new(size, bytes)));
    };
    let length = end - start + 1;
    let bytes = blobs::read(&app, &blob, start, length).await?;
    Ok(headers(StatusCode::PARTIAL_CONTENT, &blob)
        .insert_header((header::CONTENT_RANGE, format!("bytes {start}-{end}/{size}")))
        .body(SizedStream::new(length, bytes)))
}

/// `HEAD …/blobs/{digest}`.
pub async fn head(allowed: Allowed<PullImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let blob = blobs::find(&app, &allowed, &path::digest(&request)?).await?;
    if let Some(unchanged) = conditions::unchanged(&request, &blob.digest, Some(KEPT))? {
        return Ok(unchanged);
    }
    let nothing = stream::empty::<std::io::Result<bytes::Bytes>>();
    Ok(headers(StatusCode::OK, &blob).body(SizedStream::new(size(&blob), nothing)))
}

/// `DELETE …/blobs/{digest}`: the repository no longer reaches it.
pub async fn delete(allowed: Allowed<DeleteImage>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    blobs::delete(&app, &allowed, &path::digest(&request)?, &conditions::of(&request)).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// First and last byte of a single range, RFC 9110 section 14. Several ranges, or what cannot be read, is as no range;
/// so is any range of nothing, which has no part to give: clients that ask for `0-` want all that there is.
fn range(request: &HttpRequest, size: u64) -> Result<Option<(u64, u64)>> {
    if size == 0 {
        return Ok(None);
    }
    let text = request.headers().get(header::RANGE).and_then(|v| v.to_str().ok());
    let spec = text.and_then(|t| t.split_once('=')).filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((_, spec)) = spec.filter(|(_, spec)| !spec.contains([',', '+'])) else { return Ok(None) };
    let Some((first, last)) = spec.trim().split_once('-') else { return Ok(None) };
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => suffix.parse::<u64>().ok().map(|n| (size.saturating_sub(n), size.checked_sub(1), n > 0)),
        (start, "") => start.parse().ok().map(|s| (s, size.checked_sub(1), true)),
        (start, end) => match (start.parse::<u64>(), end.parse::<u64>()) {
            (Ok(s), Ok(e)) if s <= e => Some((s, size.checked_sub(1).map(|last| e.min(last)), true)),
            _ => None,
        },
    };
    match range {
        None => Ok(None),
        Some((start, Some(end), true)) if start <= end => Ok(Some((start, end))),
        Some(_) => Err(Error::RangeNotSatisfiable { size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn ranges_follow_rfc_9110() {
        let ask = |text: &str, size| {
            let request = TestRequest::default().insert_header((header::RANGE, text.to_owned())).to_http_request();
            range(&request, size)
        };
        assert_eq!(ask("bytes=0-", 11).unwrap(), Some((0, 10)));
        assert_eq!(ask("bytes=3-5", 11).unwrap(), Some((3, 5)));
        assert_eq!(ask("bytes=3-500", 11).unwrap(), Some((3, 10)));
        assert_eq!(ask("bytes=-4", 11).unwrap(), Some((7, 10)));
        assert_eq!(ask("bytes=-400", 11).unwrap(), Some((0, 10)));
        assert_eq!(ask("Bytes=3-5", 11).unwrap(), Some((3, 5)));
        for ignored in [
            "bytes=5-3",
            "bytes=a-b",
            "items=0-1",
            "bytes=+1-5",
            "bytes",
            "bytes=0-1,3-4",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(ask(ignored, 11).unwrap(), None, "{ignored}");
        }
        for wrong in ["bytes=11-", "bytes=11-12", "bytes=-0"] {
            assert!(matches!(ask(wrong, 11), Err(Error::RangeNotSatisfiable { size: 11 })), "{wrong}");
        }
        for any in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-9"] {
            assert_eq!(ask(any, 0).unwrap(), None, "{any} of nothing");
        }
    }
}
