//! A deadline for small bodies: sent a byte at a time, one would hold its connection and its memory without end.
//!
//! A blob may take as long as it takes; `registry::uploads` gives up after a minute without a byte.

use actix_web::Error;
use actix_web::HttpMessage as _;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use futures_util::{StreamExt as _, stream};
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The largest manifest comes in time at 70 kB/s.
const DEADLINE: Duration = Duration::from_mins(1);

pub async fn middleware<B: MessageBody>(mut req: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    if !is_blob(req.path()) {
        let payload = req.take_payload();
        req.set_payload(within(DEADLINE, payload));
    }
    next.call(req).await
}

/// `/v2/…/blobs/uploads/` and `/v2/…/blobs/uploads/{id}`. Routes are not known yet, and names may hold these words too.
fn is_blob(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    matches!(parts[..], ["", "v2", .., "blobs", "uploads"] | ["", "v2", .., "blobs", "uploads", _])
}

fn within(deadline: Duration, payload: Payload) -> Payload {
    if matches!(payload, Payload::None) {
        return payload;
    }
    #[expect(clippy::disallowed_methods, reason = "a wait of this moment")]
    let end = Instant::now() + deadline;
    let chunks = stream::unfold(Some(payload), move |payload| async move {
        let mut payload = payload?;
        match timeout_at(end, payload.next()).await {
            Ok(next) => next.map(|chunk| (chunk, Some(payload))),
            Err(_late) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, "it came too slowly");
                Some((Err(PayloadError::Io(late)), None))
            }
        }
    });
    Payload::Stream { payload: Box::pin(chunks) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::web::Bytes;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let first = stream::iter([Ok(Bytes::from_static(b"a"))]);
        let payload: Payload = Payload::Stream { payload: Box::pin(first.chain(stream::pending())) };
        let chunks: Vec<_> = within(Duration::from_millis(20), payload).collect().await;
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0].as_ref().unwrap().as_ref(), b"a");
        assert!(matches!(chunks[1], Err(PayloadError::Io(_))));
    }

    #[test]
    fn blobs_take_as_long_as_they_take() {
        for path in ["/v2/a/b/blobs/uploads", "/v2/a/b/blobs/uploads/", "/v2/a/b/blobs/uploads/x"] {
            assert!(is_blob(path), "{path}");
        }
        for path in ["/v2/blobs/uploads/x/manifests/v1", "/token", "/a/b/blobs/uploads/x", "/v2/a/blobs/uploads/x/y"] {
            assert!(!is_blob(path), "{path}");
        }
    }
}
