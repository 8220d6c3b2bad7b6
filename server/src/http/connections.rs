//! Connections that are open: bounded together, and for each address that comes by itself.
//!
//! Those of listed proxies count in the whole only; what people ask through them counts in `under_way`.

use super::socket::{self, Socket, Transport};
use crate::app::App;
use crate::auth::places::{Place, Places};
use crate::error::{Error, Result};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;

/// Each costs about 20 KiB while it is idle, with TLS twice that; while its peer sends or takes nothing, up to 100 KiB
/// more beside what `under_way` and `bodies` count.
const CONNECTIONS: usize = 4_096;
/// One address has half of them: a proxy that is not listed is one address.
const EACH: usize = CONNECTIONS / 2;
/// So many more are told that there is no place; what comes then is closed without a word.
const TOLD: usize = 256;

/// What of the places is taken.
pub(super) struct Connections {
    places: Arc<Places>,
    told: Arc<Places>,
    pub(super) large_heads: Arc<Places>,
}

/// Goes with a connection until it ends.
enum Admission {
    Admitted { _place: Place },
    Refused { retry_after_secs: u64, is_own: bool, _place: Option<Place> },
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            places: Places::new(CONNECTIONS, EACH),
            told: Places::new(TOLD, TOLD),
            large_heads: socket::large_heads(),
        }
    }
}

impl Connections {
    /// Called by the server for each connection before it is read from.
    pub(super) fn enter<S: Transport>(&self, app: &App, socket: &Socket<S>, extensions: &mut Extensions) {
        extensions.insert(socket.traffic().clone());
        // Who is gone already needs no place; the next read ends it.
        let Ok(peer) = socket.tcp().peer_addr() else { return };
        extensions.insert(self.admit(app, peer.ip(), socket.tcp()));
    }

    /// Whose share a connection counts in: nobody's if a listed proxy made it.
    pub(super) fn address(app: &App, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        let is_proxy = app.config.trusted_proxies.iter().any(|net| net.contains(&peer));
        (!is_proxy).then_some(peer)
    }

    fn admit(&self, app: &App, peer: IpAddr, stream: &TcpStream) -> Admission {
        let refusal = match self.places.take(Self::address(app, peer), 1) {
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
