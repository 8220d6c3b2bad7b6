//! The use of a daemon by one build.

use super::running::Running;
use crate::failure::{Failed, because};
use slipway_buildkit::Client;
use slipway_protocol::Reason;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a daemon in use is asked whether it still answers.
const WATCH_EVERY: Duration = Duration::from_secs(10);

/// While it lives, the daemon is not stopped as idle.
pub(crate) struct Lease(Arc<Running>);

impl Lease {
    pub(super) fn new(daemon: Arc<Running>) -> Self {
        daemon.enter();
        Self(daemon)
    }

    pub(crate) fn client(&self) -> &Client {
        self.0.client()
    }

    /// Waits until the daemon died, or hung and was killed; gives the reason.
    pub(crate) async fn failed(&self) -> Failed {
        let how = tokio::select! {
            how = self.0.gone() => how,
            () = self.hung() => {
                self.0.kill();
                "BuildKit answered no more and was killed".to_owned()
            }
        };
        if self.0.filled_disk.load(Ordering::Acquire) {
            return because(Reason::DiskFull, "the builder's disk filled up, and this build was stopped to free it");
        }
        because(Reason::BuilderUnavailable, how)
    }

    async fn hung(&self) {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            // Asked twice, for a machine under load may be late once.
            if !self.0.answers().await && !self.0.answers().await {
                return;
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.touch();
        self.0.users.fetch_sub(1, Ordering::AcqRel);
    }
}
