//! The raw bytes of a delivery, read with bounded memory and time: that its signature is right is not known yet.

use super::in_flight::Place;
use crate::error::{Error, Result};
use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt as _;
use std::time::Duration;

/// GitHub's own limit for a payload.
const LIMIT: usize = 25 << 20;
/// GitHub itself gives up a delivery after ten seconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// The whole body; 413 above 25 MiB, 429 when there is no room for it now.
pub(super) async fn read(request: &HttpRequest, payload: Payload, place: &mut Place) -> Result<Bytes> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > LIMIT) {
        return Err(too_large());
    }
    let late = |_elapsed| Error::invalid("the body came too slowly");
    tokio::time::timeout(DEADLINE, collect(payload, place)).await.map_err(late)?
}

async fn collect(mut payload: Payload, place: &mut Place) -> Result<Bytes> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| Error::invalid(format!("the body broke off: {e}")))?;
        if body.len() + chunk.len() > LIMIT {
            return Err(too_large());
        }
        place.grow(chunk.len())?;
        if body.capacity() - body.len() < chunk.len() {
            // Not the double: what is counted is about what is held.
            body.reserve_exact(chunk.len() + body.len() / 4);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn too_large() -> Error {
    Error::TooLarge("a delivery has at most 25 MiB".into())
}
