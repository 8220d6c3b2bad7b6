//! `Expect: 100-continue`: a client that waits is told to send its body when somebody wants to read it, and not before.
//!
//! actix-http has a service for such requests, and calls the application when that has let them pass. Here that service
//! is the application: if it answers before it asks for the body, this is the answer, and nobody sends a body in vain.
//! When it asks, the request passes, and the answer that was begun is waited for.

use actix_http::{HttpMessage as _, Payload, Request, Response};
use actix_web::body::BoxBody;
use futures_util::future::{LocalBoxFuture, poll_fn};
use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};

pub(super) type Answer = LocalBoxFuture<'static, Response<BoxBody>>;
/// Answers a request.
pub(super) type Application = Rc<dyn Fn(Request) -> Answer>;

/// An answer that was begun before the client was told to go on.
struct Begun(Answer);

/// Answers a request, or goes on with an answer that was begun.
pub(super) fn answer(application: &Application, request: Request) -> Answer {
    let begun = request.extensions_mut().remove::<Begun>();
    begun.map_or_else(|| application(request), |begun| begun.0)
}

/// Lets a request pass when its body is asked for, or answers it.
pub(super) async fn expect(application: Application, mut request: Request) -> Result<Request, Response<BoxBody>> {
    let asked = Rc::new(Asked::default());
    let body = request.take_payload();
    *request.payload() = asked.clone().by_whom_reads(body);
    let mut answer = application(request);
    let first = poll_fn(|cx| {
        *asked.waker.borrow_mut() = Some(cx.waker().clone());
        match answer.poll_unpin(cx) {
            Poll::Ready(response) => Poll::Ready(Err(response)),
            Poll::Pending if asked.is.get() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    });
    first.await?;
    let passed = Request::new();
    passed.extensions_mut().insert(Begun(answer));
    Ok(passed)
}

/// Whether a body was asked for that is not here yet.
#[derive(Default)]
struct Asked {
    is: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Asked {
    fn by_whom_reads(self: Rc<Self>, mut body: Payload) -> Payload {
        let chunks = stream::poll_fn(move |cx| {
            let polled = body.poll_next_unpin(cx);
            if polled.is_pending() && !self.is.replace(true) {
                // Who reads may be another task.
                if let Some(waker) = self.waker.take() {
                    waker.wake();
                }
            }
            polled
        });
        Payload::Stream { payload: Box::pin(chunks) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::web::Bytes;
    use std::time::Duration;
    use tokio::time::timeout;

    fn request(chunks: Vec<&'static str>) -> Request {
        let chunks = stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))));
        let body: Payload = Payload::Stream { payload: Box::pin(chunks.chain(stream::pending())) };
        Request::with_payload(body)
    }

    fn application(read: bool) -> Application {
        Rc::new(move |mut request: Request| {
            async move {
                if read {
                    request.take_payload().next().await;
                }
                Response::with_body(StatusCode::CREATED, BoxBody::new(()))
            }
            .boxed_local()
        })
    }

    #[actix_web::test]
    async fn an_answer_that_needs_no_body_comes_at_once() {
        let answer = expect(application(false), request(vec![])).await.unwrap_err();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }

    #[actix_web::test]
    async fn a_request_passes_when_its_body_is_asked_for_and_its_answer_goes_on() {
        let application = application(true);
        let passed = expect(application.clone(), request(vec![])).await.unwrap();
        assert!(answer(&application, passed).now_or_never().is_none(), "it waits for the body");
    }

    #[actix_web::test]
    async fn who_sends_without_waiting_is_not_told_to() {
        let answer = expect(application(true), request(vec!["a"])).await.unwrap_err();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }

    #[actix_web::test]
    async fn a_request_passes_when_another_task_asks_for_its_body() {
        let application: Application = Rc::new(|mut request: Request| {
            let reader = actix_web::rt::spawn(async move { request.take_payload().next().await.is_some() });
            async move {
                reader.await.unwrap();
                Response::with_body(StatusCode::CREATED, BoxBody::new(()))
            }
            .boxed_local()
        });
        let passed = actix_web::rt::spawn(expect(application, request(vec![])));
        timeout(Duration::from_secs(10), passed).await.expect("it is woken").unwrap().unwrap();
    }
}
