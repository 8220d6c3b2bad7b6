//! Bodies that are read whole: bounded in time, and in the bytes that are held, together and for each address.
//!
//! Bytes count as they arrive, until the handler has answered: who promises much and sends little holds little. When
//! there is no room, or nothing more comes, the answer is ours, whatever the handler makes of a body that broke off.
//! Blobs and questions to a forge are passed on in pieces, and `hooks` counts what it reads by itself: strangers send
//! that, and are to take no room from those who push.

use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::places::{Place, Places};
use crate::error::{Error, Result};
use actix_web::HttpMessage as _;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use futures_util::{StreamExt as _, stream};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of all bodies. The largest is 4 MiB: a manifest, or the records of a build.
const BYTES: usize = 64 << 20;
/// One address has half: a proxy that is not listed is one address.
const BYTES_EACH: usize = BYTES / 2;
const PATIENCE: Patience = Patience { whole: Duration::from_mins(1), silence: Duration::from_secs(10) };

/// How long a body may take.
#[derive(Clone, Copy)]
struct Patience {
    /// The largest manifest comes in time at 70 kB/s.
    whole: Duration,
    /// A body that stands still for so long is given up: others could use its room.
    silence: Duration,
}

/// Room for all bodies.
pub fn places() -> Arc<Places> {
    Places::new(BYTES, BYTES_EACH)
}

pub(super) async fn middleware(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let passed_on = is_blob(req.path());
    let payload = if passed_on { Payload::None } else { req.take_payload() };
    if matches!(payload, Payload::None) {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let body = Rc::new(RefCell::new(Body::default()));
    if !is_counted_elsewhere(req.path()) {
        let app = req.app_data::<Data<App>>().expect("the app is registered before any route");
        body.borrow_mut().place = Some(app.bodies.none_yet(Some(client_address(app, req.request()))));
    }
    req.set_payload(within(PATIENCE, payload, body.clone()));
    let response = next.call(req).await?;
    // The handler has it no longer.
    match body.take().refusal {
        Some(refusal) => Ok(ServiceResponse::from_err(refusal, response.into_parts().0)),
        None => Ok(response.map_into_boxed_body()),
    }
}

/// `/v2/…/blobs/uploads/` and `/v2/…/blobs/uploads/{id}`. Routes are not known yet, and names may hold these words too.
/// A blob may take as long as it takes; `registry::uploads` gives up after a minute without a byte.
fn is_blob(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    matches!(parts[..], ["", "v2", .., "blobs", "uploads"] | ["", "v2", .., "blobs", "uploads", _])
}

/// Deliveries, and questions to a forge for a source.
fn is_counted_elsewhere(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    match parts.next() {
        Some("hooks") => true,
        Some("builder") => parts.any(|part| part == "source.git"),
        _ => false,
    }
}

/// What is known of a body while it comes.
#[derive(Default)]
struct Body {
    place: Option<Place>,
    refusal: Option<Error>,
}

impl Body {
    fn refuse(&mut self, error: Error, words: &'static str) -> PayloadError {
        self.refusal = Some(error);
        PayloadError::Io(io::Error::other(words))
    }

    fn grow(&mut self, bytes: usize) -> Result<(), PayloadError> {
        match self.place.as_mut().map(|place| place.grow(bytes)) {
            Some(Err(refusal)) => Err(self.refuse(refusal, "there is no room for it now")),
            _ => Ok(()),
        }
    }
}

fn within(patience: Patience, payload: Payload, body: Rc<RefCell<Body>>) -> Payload {
    let end = now() + patience.whole;
    let chunks = stream::unfold(Some(payload), move |payload| {
        let body = body.clone();
        async move {
            let mut payload = payload?;
            let chunk = match timeout_at(end.min(now() + patience.silence), payload.next()).await {
                Ok(next) => next?,
                Err(_late) => Err(body.borrow_mut().refuse(Error::TooSlow, "it came too slowly")),
            };
            let chunk = chunk.and_then(|chunk: Bytes| {
                body.borrow_mut().grow(chunk.len())?;
                Ok(chunk)
            });
            let rest = chunk.is_ok().then_some(payload);
            Some((chunk, rest))
        }
    });
    Payload::Stream { payload: Box::pin(chunks) }
}

#[expect(clippy::disallowed_methods, reason = "a wait of this moment")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Patience = Patience { whole: Duration::from_mins(1), silence: Duration::from_millis(20) };

    fn payload(chunks: Vec<&'static str>, ends: bool) -> Payload {
        let chunks = stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))));
        Payload::Stream { payload: if ends { Box::pin(chunks) } else { Box::pin(chunks.chain(stream::pending())) } }
    }

    fn body(places: &Arc<Places>) -> Rc<RefCell<Body>> {
        Rc::new(RefCell::new(Body { place: Some(places.none_yet(None)), refusal: None }))
    }

    #[tokio::test]
    async fn a_body_that_stands_still_is_given_up() {
        let places = Places::new(8, 8);
        let body = body(&places);
        let chunks: Vec<_> = within(SHORT, payload(vec!["a"], false), body.clone()).collect().await;
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0].as_ref().unwrap().as_ref(), b"a");
        assert!(matches!(chunks[1], Err(PayloadError::Io(_))));
        assert!(matches!(body.borrow().refusal, Some(Error::TooSlow)));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_however_it_comes() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok(Bytes::from_static(b"a")), ()))
        });
        let places = Places::new(1 << 20, 1 << 20);
        let patience = Patience { whole: Duration::from_millis(60), silence: Duration::from_mins(1) };
        let all = within(patience, Payload::Stream { payload: Box::pin(drops) }, body(&places));
        let chunks: Vec<_> = tokio::time::timeout(Duration::from_secs(20), all.collect()).await.unwrap();
        assert!(matches!(chunks.last(), Some(Err(PayloadError::Io(_)))));
    }

    #[tokio::test]
    async fn bytes_take_room_as_they_come_and_are_refused_when_there_is_none() {
        let places = Places::new(5, 5);
        let first = body(&places);
        let chunks: Vec<_> = within(SHORT, payload(vec!["abc"], true), first.clone()).collect().await;
        assert_eq!((chunks.len(), places.taken()), (1, 3));
        let second = body(&places);
        let chunks: Vec<_> = within(SHORT, payload(vec!["de", "f", "g"], true), second.clone()).collect().await;
        assert_eq!(chunks.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
        assert!(matches!(second.borrow().refusal, Some(Error::Busy { .. })));
        drop((first, second));
        assert_eq!(places.taken(), 0);
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

    #[test]
    fn what_has_bounds_of_its_own_is_not_counted_twice() {
        for path in ["/hooks/github/x", "/builder/v1/attempts/x/source.git/git-upload-pack"] {
            assert!(is_counted_elsewhere(path), "{path}");
        }
        for path in ["/builder/v1/attempts/x/records", "/builder/v1/claim", "/v2/a/b/manifests/source.git", "/token"] {
            assert!(!is_counted_elsewhere(path), "{path}");
        }
    }
}
