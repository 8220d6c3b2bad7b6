//! `HEAD` answers what `GET` would, without the body. The registry's routes name it.

use super::faces::Surface;
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Sends `HEAD` through the handlers of `GET`, and drops what they would send.
pub async fn middleware(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_head = req.method() == Method::HEAD && Surface::of(req.path()) != Surface::Registry;
    if is_head {
        req.head_mut().method = Method::GET;
    }
    let response = next.call(req).await?;
    if !is_head {
        return Ok(response.map_into_boxed_body());
    }
    Ok(response.map_body(|_, body| Left(body.size())).map_into_boxed_body())
}

/// A body that is never made: a log or a stream of events would be read for nothing. Its size stays in the headers.
struct Left(BodySize);

impl MessageBody for Left {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
