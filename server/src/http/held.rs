//! A body that keeps something until it was sent, or its connection ended.

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(super) struct Held<B, T> {
    body: Pin<Box<B>>,
    _kept: T,
}

impl<B, T> Held<B, T> {
    pub(super) fn new(body: B, kept: T) -> Self {
        Self { body: Box::pin(body), _kept: kept }
    }
}

impl<B: MessageBody, T: Unpin> MessageBody for Held<B, T> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.body.as_mut().poll_next(cx)
    }
}
