//! Answers that are under way: bounded in number and in the bytes that they hold, together and for each address.
//!
//! What a handler made whole (a manifest, a page) is handed on in small pieces, and counts until its reader took it:
//! it stays in memory until it was written, and the end of it in the connection's buffer after that. What it streams
//! (blobs, logs) holds a piece; `storage` bounds the large ones.

use super::held::Held;
use super::traffic::{Kept, Traffic};
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::places::Places;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Answers at once, those that wait or stream included.
const ANSWERS: usize = 4_096;
const ANSWERS_EACH: usize = ANSWERS / 4;
/// Bytes of answers that are held whole. The largest is a manifest, 4 MiB.
const BYTES: usize = 128 << 20;
const BYTES_EACH: usize = BYTES / 2;
/// As much as actix-http gathers before it writes.
const PIECE: usize = 32 << 10;
/// The bytes of what is smaller do not count: its place bounds it.
const SMALL: u64 = 4 << 10;

/// Whoever watches the server is answered always.
const ALWAYS: &[&str] = &["/healthz", "/readyz"];

/// What of the places is taken.
pub struct UnderWay {
    answers: Arc<Places>,
    bytes: Arc<Places>,
}

impl Default for UnderWay {
    fn default() -> Self {
        Self { answers: Places::new(ANSWERS, ANSWERS_EACH), bytes: Places::new(BYTES, BYTES_EACH) }
    }
}

pub(super) async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if ALWAYS.contains(&req.path()) {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let app = req.app_data::<Data<App>>().expect("the app is registered before any route").clone();
    let address = client_address(&app, req.request());
    let place = match app.under_way.answers.take(Some(address), 1) {
        Ok(place) => place,
        Err(refusal) => return Ok(req.error_response(refusal)),
    };
    let traffic = Traffic::of(&req);
    let response = next.call(req).await?;
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = match body.size() {
        BodySize::None | BodySize::Sized(0) => BoxBody::new(body),
        BodySize::Sized(size) if size <= SMALL => BoxBody::new(Held::new(body, traffic.keep(vec![place]))),
        _ => match body.try_into_bytes() {
            Ok(bytes) => match app.under_way.bytes.take(Some(address), held(bytes.len())) {
                Ok(room) => BoxBody::new(Whole { bytes, _kept: traffic.keep(vec![place, room]) }),
                Err(refusal) => return Ok(ServiceResponse::from_err(refusal, request)),
            },
            Err(body) => BoxBody::new(Held::new(body, traffic.keep(vec![place]))),
        },
    };
    Ok(ServiceResponse::new(request, response.set_body(body)))
}

/// What a body takes in memory: itself, and what of it is written and not taken.
fn held(bytes: usize) -> usize {
    bytes + bytes.min(2 * PIECE)
}

/// A body in memory, in pieces.
struct Whole {
    bytes: Bytes,
    _kept: Kept,
}

impl MessageBody for Whole {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let piece = PIECE.min(self.bytes.len());
        Poll::Ready((piece > 0).then(|| Ok(self.bytes.split_to(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;
    use actix_web::body::to_bytes;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::web::to;
    use actix_web::{App, HttpResponse};
    use futures_util::stream;
    use std::future::poll_fn;
    use std::rc::Rc;

    fn whole(bytes: &Bytes, places: &Arc<Places>, traffic: &Rc<Traffic>) -> Whole {
        Whole { bytes: bytes.clone(), _kept: traffic.keep(vec![places.take(None, 2).unwrap()]) }
    }

    #[tokio::test]
    async fn a_large_answer_comes_whole_in_small_pieces_and_holds_its_places_until_then() {
        let places = Places::new(8, 8);
        let bytes = Bytes::from((0..=u8::MAX).cycle().take(3 * PIECE + 7).collect::<Vec<u8>>());
        let traffic = Rc::new(Traffic::default());
        let mut body = whole(&bytes, &places, &traffic);
        assert_eq!(body.size(), BodySize::Sized(bytes.len() as u64));
        let first = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.unwrap().unwrap();
        assert_eq!((first.len(), places.taken()), (PIECE, 2));
        drop(body);
        traffic.all_taken();
        assert_eq!(places.taken(), 0);
        assert_eq!(to_bytes(whole(&bytes, &places, &traffic)).await.unwrap(), bytes);
    }

    #[actix_web::test]
    async fn answers_have_a_bound_together_and_for_each_address() {
        let app = TestApp::start().await;
        let service = App::new().app_data(Data::from(app.app.clone())).wrap(from_fn(middleware));
        let stream = || async { HttpResponse::Ok().streaming(stream::pending::<Result<Bytes, Infallible>>()) };
        let service = init_service(service.default_service(to(stream))).await;
        let answer = async |n: u8| {
            call_service(&service, TestRequest::default().peer_addr(([192, 0, 2, n], 1).into()).to_request()).await
        };
        let answers = &app.under_way.answers;
        let others = |n: u8, size| answers.take(Some([192, 0, 2, n].into()), size).unwrap();
        let mut held = vec![others(1, 1_023)];
        let stream = answer(1).await;
        assert_eq!((answer(1).await.status().as_u16(), stream.status().as_u16()), (429, 200));
        held.extend([others(2, 1_024), others(3, 1_024), others(4, 1_023)]);
        assert_eq!(answer(5).await.status().as_u16(), 200);
        held.push(others(5, 1));
        assert_eq!(answer(5).await.status().as_u16(), 503);
        drop((held, stream));
        assert_eq!(answers.taken(), 0);
    }
}
