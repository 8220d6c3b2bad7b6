//! The raw bytes of a delivery, read with bounded memory and time: whoever sends is not known yet.

use crate::error::{Error, Result};
use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::sync::Semaphore;

/// GitHub's own limit for a payload.
const LIMIT: usize = 25 << 20;
/// Nearly all deliveries are smaller than this; those above share `LARGE` places.
const SMALL: usize = 1 << 20;
static LARGE: Semaphore = Semaphore::const_new(8);
const DEADLINE: Duration = Duration::from_secs(30);

/// The whole body, or 413 above 25 MiB, or 503 when too many large ones come at once.
pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > LIMIT) {
        return Err(too_large());
    }
    let late = |_elapsed| Error::invalid("the body came too slowly");
    tokio::time::timeout(DEADLINE, collect(payload)).await.map_err(late)?
}

async fn collect(mut payload: Payload) -> Result<Bytes> {
    let mut body = BytesMut::new();
    let mut place = None;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| Error::invalid(format!("the body broke off: {e}")))?;
        if body.len() + chunk.len() > LIMIT {
            return Err(too_large());
        }
        if place.is_none() && body.len() + chunk.len() > SMALL {
            let full = |_closed| Error::Unavailable("too many large deliveries at once; send this one again".into());
            place = Some(LARGE.try_acquire().map_err(full)?);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn too_large() -> Error {
    Error::TooLarge("a delivery has at most 25 MiB".into())
}
