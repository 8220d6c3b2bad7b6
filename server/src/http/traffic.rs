//! What is under way on one connection. Its socket and the answers to its requests both look at it.
//!
//! actix-web reads ahead as far as it can, and keeps what it has written until the peer takes it. So the socket asks
//! here how much more may be read, and what an answer takes of the server's places is held until all of it was taken.

use super::held::Held;
use super::socket::Framing;
use crate::auth::places::Place;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Bytes that are read at once before a request is known, and of its body before a handler asks for it.
pub(super) const AHEAD: usize = 2 << 10;
/// Bytes that are read at once for a handler that waits for its body.
const BODY: usize = 128 << 10;

/// One connection.
pub(super) struct Traffic {
    /// Answers that are made or sent.
    open: Cell<usize>,
    /// Requests that were begun, ever.
    begun: Cell<u64>,
    /// What is to come of the body of the request that is answered, and how much of it may be read now.
    framing: Cell<Framing>,
    ahead: Cell<usize>,
    /// An answer of ours was written since the peer had taken all.
    has_answered: Cell<bool>,
    /// What comes is thrown away.
    is_ending: Cell<bool>,
    /// Given back when all that was written is taken; `None` after the end.
    kept: RefCell<Option<Vec<Place>>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            open: Cell::default(),
            begun: Cell::default(),
            framing: Cell::default(),
            ahead: Cell::default(),
            has_answered: Cell::default(),
            is_ending: Cell::default(),
            kept: RefCell::new(Some(Vec::new())),
            reader: RefCell::default(),
            writer: RefCell::default(),
        }
    }
}

/// Counts an answer from its request until it was written.
pub(super) async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let traffic = Traffic::of(&req);
    let open = Open::new(traffic.clone(), Framing::of(req.headers()));
    // One after the other: of many requests that came at once, a peer that takes nothing holds one answer.
    poll_fn(|cx| traffic.poll_taken(cx)).await;
    let response = next.call(req).await?;
    Ok(response.map_body(|_, body| BoxBody::new(Held::new(body, open))))
}

impl Traffic {
    /// That of the request's connection.
    pub(super) fn of(req: &ServiceRequest) -> Rc<Self> {
        req.conn_data::<Rc<Self>>().cloned().unwrap_or_default()
    }

    /// A handler waits for its body.
    pub(super) fn want(&self) {
        self.ahead.set(BODY);
        self.wake();
    }

    /// Holds places until the peer took all that was written when this is dropped, or is gone.
    pub(super) fn keep(self: &Rc<Self>, places: Vec<Place>) -> Kept {
        Kept { places, traffic: self.clone() }
    }

    /// The connection ends with the answer that was begun: what else comes is read and thrown away.
    pub(super) fn end(&self) {
        self.is_ending.set(true);
        self.wake();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.open.get() == 0
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// What is written now is no answer of ours, but one of actix-http's own.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_quiet() && !self.has_answered.get()
    }

    /// Bytes of the body that may be read now.
    pub(super) fn ahead(&self) -> usize {
        self.ahead.get()
    }

    pub(super) fn framing(&self) -> Framing {
        self.framing.get()
    }

    /// So many bytes were read, and this is still to come.
    pub(super) fn read(&self, bytes: usize, framing: Framing) {
        self.ahead.set(self.ahead.get().saturating_sub(bytes));
        self.framing.set(framing);
    }

    /// Nothing is read now; the task is woken when that changes.
    pub(super) fn wait<T>(&self, cx: &Context<'_>) -> Poll<T> {
        *self.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Whether the peer has taken the answers before.
    fn poll_taken(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.has_answered.get() {
            return Poll::Ready(());
        }
        *self.writer.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The peer has taken all that was written.
    pub(super) fn all_taken(&self) {
        self.has_answered.set(false);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        if let Some(kept) = self.kept.borrow_mut().as_mut() {
            kept.clear();
        }
    }

    /// The peer is gone.
    pub(super) fn ended(&self) {
        drop(self.kept.take());
    }
}

/// An answer.
struct Open(Rc<Traffic>);

impl Open {
    fn new(traffic: Rc<Traffic>, body: Framing) -> Self {
        traffic.open.set(traffic.open.get() + 1);
        traffic.begun.set(traffic.begun.get() + 1);
        traffic.framing.set(body);
        traffic.ahead.set(AHEAD);
        Self(traffic)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.has_answered.set(true);
        self.0.wake();
    }
}

/// Places of an answer.
pub(super) struct Kept {
    places: Vec<Place>,
    traffic: Rc<Traffic>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(kept) = self.traffic.kept.borrow_mut().as_mut() {
            kept.append(&mut self.places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::places::Places;

    #[test]
    fn places_of_an_answer_are_held_until_it_was_taken() {
        let places = Places::new(8, 8);
        let traffic = Rc::new(Traffic::default());
        let kept = traffic.keep(vec![places.take(None, 3).unwrap()]);
        traffic.all_taken();
        assert_eq!(places.taken(), 3, "it is being made");
        drop(kept);
        assert_eq!(places.taken(), 3, "it is being sent");
        traffic.all_taken();
        assert_eq!(places.taken(), 0);
        let kept = traffic.keep(vec![places.take(None, 3).unwrap()]);
        traffic.ended();
        drop(kept);
        assert_eq!(places.taken(), 0, "nobody is there to take it");
    }

    #[test]
    fn an_answer_waits_until_the_one_before_was_taken() {
        let traffic = Rc::new(Traffic::default());
        let cx = Context::from_waker(Waker::noop());
        assert!(traffic.poll_taken(&cx).is_ready());
        drop(Open::new(traffic.clone(), Framing::default()));
        assert!(traffic.poll_taken(&cx).is_pending());
        traffic.all_taken();
        assert!(traffic.poll_taken(&cx).is_ready());
    }

    #[test]
    fn little_of_a_body_is_read_before_somebody_asks() {
        let traffic = Rc::new(Traffic::default());
        let _open = Open::new(traffic.clone(), Framing::Length(1 << 30));
        traffic.read(AHEAD, Framing::Length(1));
        assert_eq!((traffic.ahead(), traffic.framing()), (0, Framing::Length(1)));
        traffic.want();
        assert_eq!(traffic.ahead(), BODY);
    }
}
