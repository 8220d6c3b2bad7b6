//! The end of a session, which comes later than that of its build.
//!
//! A solve that is refused or cancelled leaves imports of caches under way, and those ask its session for credentials.
//! BuildKit waits for a session that is gone: five seconds for each login it knows of, holding a lock for which the
//! imports of other builds wait, and with them all steps of the daemon. A session that is there says no at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::Session;
use crate::client::Client;

/// A registry has answered by then, or the daemon has given it up.
const LINGER: Duration = Duration::from_mins(1);

/// Whether the build of a session is over.
#[derive(Debug, Clone, Default)]
pub(super) struct Closed(Arc<AtomicBool>);

impl Interceptor for Closed {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        if self.0.load(Ordering::Acquire) { Err(Status::cancelled("the build is over")) } else { Ok(request) }
    }
}

/// A session that closes when this is dropped, and stays for a while to say so.
#[derive(Debug)]
pub(crate) struct Lingering {
    session: Option<Session>,
    parting: CancellationToken,
}

impl Lingering {
    pub(crate) fn new(session: Session, client: &Client) -> Self {
        Self { session: Some(session), parting: client.parting() }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let (Some(session), Ok(runtime)) = (self.session.take(), tokio::runtime::Handle::try_current()) else { return };
        session.closed.0.store(true, Ordering::Release);
        let parting = self.parting.clone();
        runtime.spawn(async move {
            let _ = tokio::time::timeout(LINGER, parting.cancelled()).await;
            drop(session);
        });
    }
}
