//! Connections that are open: bounded together, and for each address that comes by itself.
//!
//! Those of listed proxies count in the whole only; what people ask through them counts in `under_way`.

use crate::app::App;
use crate::auth::places::{Place, Places};
use crate::error::{Error, Result};
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use std::any::Any;
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;

/// Each costs about 20 KiB while it is idle, with TLS twice that.
const CONNECTIONS: usize = 4_096;
/// One address has half of them: a proxy that is not listed is one address.
const EACH: usize = CONNECTIONS / 2;
/// So many more are told that there is no place; what comes then is closed without a word.
const TOLD: usize = 256;

/// What of the places is taken.
pub(super) struct Connections {
    places: Arc<Places>,
    told: Arc<Places>,
}

/// Goes with a connection until it ends.
enum Admission {
    Admitted { _place: Place },
    Refused { retry_after_secs: u64, is_own: bool, _place: Option<Place> },
}

impl Default for Connections {
    fn default() -> Self {
        Self { places: Places::new(CONNECTIONS, EACH), told: Places::new(TOLD, TOLD) }
    }
}

impl Connections {
    /// Called by the server for each connection before it is read from.
    pub(super) fn enter(&self, app: &App, io: &dyn Any, extensions: &mut Extensions) {
        let tls = io.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
        let Some(stream) = tls.or_else(|| io.downcast_ref::<TcpStream>()) else { return };
        // Who is gone already needs no place; the next read ends it.
        let Ok(peer) = stream.peer_addr() else { return };
        extensions.insert(self.admit(app, peer.ip(), stream));
    }

    fn admit(&self, app: &App, peer: IpAddr, stream: &TcpStream) -> Admission {
        let peer = peer.to_canonical();
        let is_proxy = app.config.trusted_proxies.iter().any(|net| net.contains(&peer));
        let refusal = match self.places.take((!is_proxy).then_some(peer), 1) {
            Ok(place) => return Admission::Admitted { _place: place },
            Err(refusal) => refusal,
        };
        let place = self.told.take(None, 1).ok();
        if place.is_none() {
            SockRef::from(stream).shutdown(Shutdown::Both).ok();
        }
        let (retry_after_secs, is_own) = match refusal {
            Error::TooManyRequests { retry_after_secs } => (retry_after_secs, true),
            Error::Busy { retry_after_secs } => (retry_after_secs, false),
            _ => (1, false),
        };
        Admission::Refused { retry_after_secs, is_own, _place: place }
    }
}

/// Answers a connection that has no place, and closes it.
pub(super) async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let refusal = match req.conn_data::<Admission>() {
        Some(Admission::Refused { retry_after_secs, is_own, .. }) => match (*retry_after_secs, *is_own) {
            (retry_after_secs, true) => Error::TooManyRequests { retry_after_secs },
            (retry_after_secs, false) => Error::Busy { retry_after_secs },
        },
        _ => return Ok(next.call(req).await?.map_into_boxed_body()),
    };
    Ok(req.error_response(refusal))
}

/// Whether the connection of this request has no place, and ends with the answer.
pub(super) fn is_refused(response: &ServiceResponse<impl MessageBody>) -> bool {
    matches!(response.request().conn_data::<Admission>(), Some(Admission::Refused { .. }))
}

/// Ends the connection with this answer.
pub(super) fn close(response: &mut ServiceResponse<impl MessageBody>) {
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
}
