//! The use of a daemon by one build.

use super::progress::Work;
use super::running::Running;
use crate::failure::{Failed, because};
use slipway_buildkit::{Client, Event};
use slipway_protocol::Reason;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a daemon in use is asked whether it still answers.
const WATCH_EVERY: Duration = Duration::from_secs(10);

/// While it lives, the daemon is not stopped as idle.
pub(crate) struct Lease {
    daemon: Arc<Running>,
    work: Work,
}

impl Lease {
    pub(super) fn new(daemon: Arc<Running>) -> Self {
        daemon.enter();
        Self { daemon, work: Work::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        self.daemon.client()
    }

    /// The build begins, or an event of it was passed on: until now nothing could be heard of it.
    pub(crate) fn listens(&self) {
        self.daemon.progress.touch();
    }

    /// The build gets on.
    pub(crate) fn note(&self, event: &Event) {
        self.daemon.progress.note(&self.work, event);
    }

    /// Waits until the daemon died, or hung and was killed; gives the reason.
    pub(crate) async fn failed(&self) -> Failed {
        let how = tokio::select! {
            how = self.daemon.gone() => how,
            how = self.hung() => {
                tracing::warn!("{how}");
                self.daemon.kill();
                how.to_owned()
            }
        };
        if self.daemon.filled_disk.load(Ordering::Acquire) {
            return because(Reason::DiskFull, "the builder's disk filled up, and this build was stopped to free it");
        }
        if self.daemon.took_too_much() {
            let text = "BuildKit itself needed more memory than it has here, and was ended: look for variables of the \
                Dockerfile that grow from line to line, and for `{…}` in .dockerignore";
            return because(Reason::Other, text);
        }
        because(Reason::BuilderUnavailable, how)
    }

    async fn hung(&self) -> &'static str {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            // Asked twice, for a machine under load may be late once.
            if !self.daemon.answers().await && !self.daemon.answers().await {
                return "BuildKit answered no more and was killed";
            }
            if self.daemon.progress.is_stuck() {
                return "BuildKit got on with none of its builds and was killed";
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.daemon.progress.leave(&self.work);
        self.daemon.touch();
        self.daemon.users.fetch_sub(1, Ordering::AcqRel);
    }
}
