//! Pages are drawn a few at a time, and fewer for one asker, and so are the lists of the registry: what many ask at once
//! waits in line, without a connection to the database.
//!
//! That leaves connections for pulls, pushes, builders and jobs, and the processor for whoever asks for one page. What a
//! stream adds later takes turns by itself (`web::build`). Manifests and blobs are found by one row of an index each, and
//! wait for nobody.

use super::surface::Surface;
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::extract::{forget_principal, principal_of};
use crate::auth::turns::{Asker, Turn, Turns};
use crate::error::{Error, Result};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use futures_util::FutureExt as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Files that lie in memory, and pages that may wait for the forge.
const NO_TURN: &[&str] = &["assets", "login", "new"];

/// What takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Page,
    /// `_catalog`, tags and referrers: each reads up to a thousand rows.
    List,
}

impl Kind {
    /// A person who waits for a page longer than this goes away. Programs wait for a list, and few of them ask again.
    fn patience(self) -> Duration {
        match self {
            Self::Page => Duration::from_secs(5),
            Self::List => Duration::from_secs(30),
        }
    }
}

/// Turns at pages, and at lists of the registry. Half of the connections that read draw pages, a quarter those of one address.
/// Another quarter makes lists, which are short, for one asker while nobody else waits. Of fewer than four connections both
/// take the same turn.
pub fn turns(connections: u32) -> (Arc<Turns>, Arc<Turns>) {
    let connections = usize::try_from(connections).unwrap_or(1);
    let (drawn, listed) = ((connections / 2).max(1), connections / 4);
    let pages = Turns::new(drawn, (drawn / 2).max(1));
    let lists = if listed == 0 { pages.clone() } else { Turns::new(listed, listed) };
    (pages, lists)
}

pub(super) async fn middleware(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let turn = match kind_of(req.method(), req.path()) {
        Some(kind) => turn(&req, kind).await,
        None => Ok(None),
    };
    match turn {
        Ok(turn) => {
            let response = next.call(req).await;
            drop(turn);
            Ok(response?.map_into_boxed_body())
        }
        Err(refusal) => Ok(req.error_response(refusal)),
    }
}

/// Waits for a turn; `None` for whom the handler refuses at once.
async fn turn(req: &ServiceRequest, kind: Kind) -> Result<Option<Turn>> {
    let app = req.app_data::<Data<App>>().expect("the app is registered before any route");
    let asker = match principal_of(req.request()).await {
        Ok(principal) => Asker::of(&principal, client_address(app, req.request())),
        // The route is not known yet, and with it what is to be asked for in place of this credential.
        Err(Error::Unauthorized(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let turns = match kind {
        Kind::Page => &app.drawing,
        Kind::List => &app.listing,
    };
    let mut line = pin!(turns.soon(&asker, kind.patience()));
    let turn = if let Some(turn) = line.as_mut().now_or_never() {
        turn
    } else {
        let turn = line.await;
        // Whoever lost the right while they waited has lost it.
        forget_principal(req.request());
        turn
    };
    turn.map(Some)
}

/// Forms are read while their handler waits for them, and only who is signed in gets further with one.
fn kind_of(method: &Method, path: &str) -> Option<Kind> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    match Surface::of(path) {
        Surface::Page => {
            let first = path.split('/').nth(1).unwrap_or_default();
            (!NO_TURN.contains(&first)).then_some(Kind::Page)
        }
        Surface::Registry => is_list(path).then_some(Kind::List),
        Surface::Json => None,
    }
}

/// Routes are not known yet, and names may hold these words too.
fn is_list(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], ["", "v2", "_catalog"] | ["", "v2", .., "tags", "list"] | ["", "v2", .., "referrers", _])
}

#[cfg(test)]
mod tests;
