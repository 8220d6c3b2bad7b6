//! Requests that are answered before their body was read: a refusal of an upload, a form of nobody.
//!
//! A client may go on sending. If its connection stayed open, the rest would have to be read to find the next request,
//! however long it is. So the answer says `Connection: close`, what comes is thrown away for some seconds, in which the
//! client can read the answer, and then the connection ends.

use super::connections;
use super::held::Held;
use super::traffic::Traffic;
use actix_web::Error;
use actix_web::HttpMessage as _;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::stream::poll_fn;
use futures_util::{FutureExt as _, StreamExt as _};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

pub(super) async fn middleware(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let traffic = Traffic::of(&req);
    let rest = match req.take_payload() {
        Payload::None => None,
        payload => Some(Rest::new(payload, traffic.clone())),
    };
    if let Some(rest) = &rest {
        req.set_payload(rest.payload());
    }
    let mut response = next.call(req).await?;
    if connections::is_refused(&response) {
        traffic.end();
        connections::close(&mut response);
    }
    let Some(rest) = rest.filter(Rest::is_left) else { return Ok(response.map_into_boxed_body()) };
    traffic.end();
    connections::close(&mut response);
    // As long as somebody could read on, actix-web does not wait for the end of the body: once the answer is sent, it
    // reads what comes until `client_disconnect_timeout`, and closes.
    Ok(response.map_body(|_, body| BoxBody::new(Held::new(body, rest))))
}

/// The body of a request, as far as nobody has read it. `None` after its end.
#[derive(Clone)]
struct Rest {
    body: Rc<RefCell<Option<Payload>>>,
    traffic: Rc<Traffic>,
}

impl Rest {
    fn new(payload: Payload, traffic: Rc<Traffic>) -> Self {
        Self { body: Rc::new(RefCell::new(Some(payload))), traffic }
    }

    /// The same body for the handler.
    fn payload(&self) -> Payload {
        let rest = self.clone();
        Payload::Stream { payload: Box::pin(poll_fn(move |cx| rest.poll_next(cx))) }
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        let mut payload = self.body.borrow_mut();
        let Some(body) = payload.as_mut() else { return Poll::Ready(None) };
        let polled = body.poll_next_unpin(cx);
        match &polled {
            Poll::Ready(None) => *payload = None,
            Poll::Ready(Some(_)) => {}
            Poll::Pending => self.traffic.want(),
        }
        polled
    }

    /// Whether something is still to come. A small body is here already: it is read, and the connection can go on.
    fn is_left(&self) -> bool {
        while let Some(Some(Ok(_chunk))) = poll_fn(|cx| self.poll_next(cx)).next().now_or_never() {}
        self.body.borrow().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::ConnectionType;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};
    use futures_util::stream;

    fn payload(chunks: Vec<Result<Bytes, PayloadError>>, ends: bool) -> Payload {
        let chunks = stream::iter(chunks);
        Payload::Stream { payload: if ends { Box::pin(chunks) } else { Box::pin(chunks.chain(stream::pending())) } }
    }

    fn rest(chunks: Vec<Result<Bytes, PayloadError>>, ends: bool) -> Rest {
        Rest::new(payload(chunks, ends), Rc::default())
    }

    #[tokio::test]
    async fn the_handler_reads_the_body_as_it_is() {
        let all = rest(vec![Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))], true);
        let chunks: Vec<_> = all.payload().map(Result::unwrap).collect().await;
        assert_eq!(chunks.concat(), b"abc");
        assert!(!all.is_left());
    }

    #[tokio::test]
    async fn a_small_body_that_is_here_is_read_and_a_longer_one_is_not_waited_for() {
        let small = rest(vec![Ok(Bytes::from_static(b"a"))], true);
        assert!(!small.is_left());
        let long = rest(vec![Ok(Bytes::from_static(b"a"))], false);
        assert!(long.is_left());
    }

    #[actix_web::test]
    async fn an_answer_ends_the_connection_only_if_more_of_the_body_is_to_come() {
        let service = App::new().wrap(from_fn(middleware)).default_service(web::to(HttpResponse::Forbidden));
        let service = init_service(service).await;
        for ends in [true, false] {
            let body = payload(vec![Ok(Bytes::from_static(b"a"))], ends);
            let request = TestRequest::default().to_request().replace_payload(body).0;
            let answer = call_service(&service, request).await;
            assert_eq!(answer.response().head().connection_type() == ConnectionType::Close, !ends);
        }
    }
}
