//! The socket of a connection: it bounds what actix-http reads and holds of a peer that sends and does not take.

mod framing;
mod head;

pub(super) use framing::Framing;
pub(super) use head::large_heads;

use super::traffic::{AHEAD, Traffic};
use crate::auth::places::Places;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use bytes::{Buf as _, Bytes};
use head::{Head, now};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Bytes that are read at once where it is not known that all of them belong to the request.
const FEW: usize = 16 << 10;
/// What our own answers carry, for those that actix-http gives to what it cannot read.
const HEADERS: &[u8] = b"x-content-type-options: nosniff\r\ncross-origin-resource-policy: same-origin\r\n\
content-security-policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\ncache-control: no-store\r\n";

/// A stream with a TCP connection below.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A stream and what is under way on it.
pub(super) struct Socket<S> {
    stream: S,
    traffic: Rc<Traffic>,
    /// Something was written that the peer has not taken yet: until then nothing is read, so that answers do not pile up.
    is_behind: bool,
    head: Head,
    /// What came behind a head or a body.
    rest: Bytes,
    look: Pin<Box<Sleep>>,
    /// An answer of actix-http with our headers, as far as it is still to be written, and the length of the original.
    foreign: Option<(Bytes, usize)>,
}

impl<S> Socket<S> {
    /// `address` is the peer's, unless it speaks for many; `large_heads` is one for all sockets.
    pub(super) fn new(stream: S, address: Option<IpAddr>, large_heads: Arc<Places>) -> Self {
        let head = Head::new(address, large_heads);
        let look = Box::pin(sleep(LOOK_EVERY));
        Self { stream, traffic: Rc::default(), is_behind: false, head, rest: Bytes::new(), look, foreign: None }
    }

    pub(super) fn tcp(&self) -> &TcpStream
    where
        S: Transport,
    {
        self.stream.tcp()
    }

    pub(super) fn traffic(&self) -> &Rc<Traffic> {
        &self.traffic
    }
}

impl<S: AsyncRead + Unpin> Socket<S> {
    /// Ends a connection whose next request does not come.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.traffic.is_quiet() || self.head.before() != self.traffic.begun() {
            self.head.begun(self.traffic.begun());
        }
        while self.look.as_mut().poll(cx).is_ready() {
            let now = now();
            if self.traffic.is_quiet() && !self.traffic.is_ending() && self.head.is_late(now) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.look.as_mut().reset(now + LOOK_EVERY);
        }
        Ok(())
    }

    /// Hands on what `part` takes of at most `most` bytes; the rest waits here.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
        part: impl FnOnce(&mut Self, &[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        let most = most.min(buf.remaining());
        let mut come = std::mem::take(&mut self.rest);
        if come.is_empty() {
            let mut few = [0; FEW];
            let mut few = ReadBuf::new(&mut few[..most.min(FEW)]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut few))?;
            let taken = part(self, few.filled());
            buf.put_slice(&few.filled()[..taken]);
            self.rest = Bytes::copy_from_slice(&few.filled()[taken..]);
            return Poll::Ready(Ok(taken));
        }
        let taken = part(self, &come[..come.len().min(most)]);
        buf.put_slice(&come.split_to(taken));
        self.rest = come;
        Poll::Ready(Ok(taken))
    }

    /// Until the end of a head. Then it is left to actix-http to look at what came.
    fn read_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.head.is_to_be_looked_at() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let bytes = ready!(self.read(cx, buf, AHEAD, |this, bytes| this.head.come(bytes)))?;
        Poll::Ready(self.head.came(bytes))
    }

    /// Nothing is handed on but the end of the stream.
    fn until_wanted(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            let mut few = [0; AHEAD];
            let mut few = ReadBuf::new(&mut few);
            match Pin::new(&mut self.stream).poll_read(cx, &mut few) {
                Poll::Ready(Ok(())) if few.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => self.rest = Bytes::copy_from_slice(few.filled()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        self.traffic.wait(cx)
    }

    /// Until the end of the body that the request has.
    fn read_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut framing = self.traffic.framing();
        let most = self.traffic.ahead();
        if most == 0 || framing.length() == Some(0) {
            return self.until_wanted(cx);
        }
        let fits = usize::try_from(framing.length().unwrap_or(0)).unwrap_or(usize::MAX) >= buf.remaining();
        // actix-http asks for 128 KiB at most, so more than was allowed does no harm.
        let bytes = if self.rest.is_empty() && fits {
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
            framing.take(&buf.filled()[before..])
        } else {
            ready!(self.read(cx, buf, most, |_, bytes| framing.take(bytes)))?
        };
        self.traffic.read(bytes, framing);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.look(cx)?;
        if this.traffic.is_ending() {
            this.rest.clear();
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        if this.is_behind {
            return this.traffic.wait(cx);
        }
        if this.traffic.is_quiet() { this.read_head(cx, buf) } else { this.read_body(cx, buf) }
    }
}

impl<S: AsyncWrite + Unpin> Socket<S> {
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.foreign.is_none() && self.traffic.is_foreign() && bytes.starts_with(b"HTTP/1.1 ") {
            let head = bytes.windows(2).position(|end| end == b"\r\n").map_or(0, |end| end + 2);
            if head > 0 {
                let ours = [&bytes[..head], HEADERS, &bytes[head..]].concat();
                self.foreign = Some((ours.into(), bytes.len()));
            }
        }
        let Some((rest, length)) = &mut self.foreign else {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        };
        while rest.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => rest.advance(written),
            }
        }
        let length = *length;
        self.foreign = None;
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.write(cx, bytes);
        this.is_behind |= written.is_pending();
        written
    }

    /// Called when all was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        let was_behind = std::mem::replace(&mut this.is_behind, flushed.is_pending());
        if flushed.is_ready() {
            this.traffic.all_taken();
            if was_behind {
                this.traffic.wake();
            }
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S> Drop for Socket<S> {
    fn drop(&mut self) {
        self.traffic.ended();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    fn connection(places: usize) -> (Socket<DuplexStream>, DuplexStream) {
        let (stream, peer) = duplex(head::LARGE);
        (Socket::new(stream, None, Places::new(places, places)), peer)
    }

    #[tokio::test]
    async fn nothing_is_read_until_what_was_written_is_taken() {
        let (mut socket, mut peer) = connection(1);
        peer.write_all(b"ab").await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'a');
        let much = vec![b'x'; head::LARGE + 1];
        let written = tokio::time::timeout(Duration::from_millis(20), socket.write_all(&much)).await;
        assert!(written.is_err(), "the peer takes it");
        let read = tokio::time::timeout(Duration::from_millis(20), socket.read_u8()).await;
        assert!(read.is_err(), "it is read");
        peer.read_exact(&mut vec![0; head::LARGE]).await.unwrap();
        socket.flush().await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'b');
    }

    #[tokio::test]
    async fn answers_of_actix_http_get_our_headers_and_others_stay_as_they_are() {
        let (mut socket, mut peer) = connection(1);
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        drop(socket);
        let mut all = String::new();
        peer.read_to_string(&mut all).await.unwrap();
        assert!(all.starts_with("HTTP/1.1 400 Bad Request\r\nx-content-type-options: nosniff\r\n"), "{all}");
        assert!(all.ends_with("\r\ncontent-length: 0\r\n\r\n"), "{all}");
    }

    #[tokio::test]
    async fn a_long_head_needs_a_place() {
        let (mut socket, mut peer) = connection(0);
        let mut all = vec![0; head::LARGE + 1];
        peer.write_all(&all[..head::LARGE]).await.unwrap();
        socket.read_exact(&mut all[..head::LARGE]).await.unwrap();
        peer.write_all(b"x").await.unwrap();
        assert!(socket.read_u8().await.is_err());
    }
}
