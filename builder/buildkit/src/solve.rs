//! One build, from the request to its end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::client::Client;
use crate::error::BuildError;
use crate::event::Event;
use crate::filesync::Sent;
use crate::request::BuildRequest;

/// A running build. Dropping it (or its [`Solving`] half) cancels the build at the daemon.
#[derive(Debug)]
pub struct Build {
    pub reference: String,
    pub events: Events,
    pub solving: Solving,
}

/// What happens, in order; `None` when all is said. The channel is bounded: read on, or drop it, or the build's log
/// waits at the daemon and [`Solving`] does not end. Dropping it does not stop the build.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

/// A future of the end of the build. It runs by itself; it is only needed for the result.
#[derive(Debug)]
pub struct Solving(AbortOnDropHandle<Result<Outcome, BuildError>>);

/// A build that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `containerimage.digest`: of the index if there is one, else of the manifest. None without an image export.
    pub digest: Option<String>,
    /// All that the exporters said: `containerimage.config.digest`, `image.name`, ….
    pub response: BTreeMap<String, String>,
    /// How many steps appeared.
    pub steps: u32,
    pub sent: Sent,
}

/// Starts a build. Must be called within a tokio runtime.
pub fn solve(client: &Client, request: BuildRequest) -> Build { loop {} }

impl Events {
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}
impl Build {
    /// The end of the build, for who does not want its events.
    pub async fn finish(self) -> Result<Outcome, BuildError> {
        drop(self.events);
        self.solving.await
    }
}
impl Future for Solving {
    type Output = Result<Outcome, BuildError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> { loop {} }
}
