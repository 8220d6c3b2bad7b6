//! Sends records to the server as they come, and again until it has them.

use super::outbox::Outbox;
use super::{Stop, StopSender, tell};
use crate::api::{AttemptApi, Error};
use std::sync::Arc;
use std::time::Duration;

/// Records that come close together travel together.
const GATHER: Duration = Duration::from_millis(100);

pub(super) async fn run(api: AttemptApi, outbox: Arc<Outbox>, stop: StopSender) {
    let mut pause = Duration::ZERO;
    while outbox.wait().await.is_some() {
        if pause.is_zero() && !outbox.urgent() {
            tokio::select! {
                () = tokio::time::sleep(GATHER) => {}
                () = outbox.until_urgent() => {}
            }
        }
        match api.records(&outbox.batch()).await {
            Ok(reply) => {
                outbox.acknowledge(reply.acknowledged);
                pause = Duration::ZERO;
                if let Some(why) = reply.ended {
                    tracing::warn!("the server takes no more of this log: {why}");
                    outbox.end();
                }
                if reply.cancel {
                    tell(&stop, Stop::Cancelled);
                }
            }
            Err(Error::Gone) => return tell(&stop, Stop::Gone),
            // The same records would be refused again.
            Err(error @ Error::Refused(_)) => {
                tracing::error!("send the log: {error}");
                outbox.refuse();
                return tell(&stop, Stop::LogRefused);
            }
            Err(error @ Error::Away(_)) => {
                tracing::warn!("send the log: {error}; keeping it");
                pause = (pause * 2).clamp(Duration::from_millis(200), Duration::from_secs(5));
                tokio::time::sleep(pause).await;
            }
        }
    }
}
