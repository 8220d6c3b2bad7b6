//! One build, from the request to its end.

mod request;
mod status;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

use crate::client::{Client, ClientError};
use crate::error::{BuildError, ErrorClass};
use crate::event::Event;
use crate::filesync::{FileSync, Sent};
use crate::request::BuildRequest;
use crate::session::{Lingering, Services, Session};
use crate::task::Task;

/// Events waiting to be read; one of them holds at most a few dozen KiB of log.
const EVENTS: usize = 256;

/// A running build. Dropping it, or its [`Solving`] half, cancels the build at the daemon.
#[derive(Debug)]
pub struct Build {
    /// The build's name at the daemon.
    pub reference: String,
    pub events: Events,
    pub solving: Solving,
}

/// What happens, in order; ends when all is said.
///
/// The channel is bounded, so read it or drop it: unread, it holds up [`Solving`]. Dropping it does not stop the build.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

/// The end of the build. It runs without being polled, and ends after the last event is in the channel.
#[derive(Debug)]
pub struct Solving(Task<Result<Outcome, BuildError>>);

/// A build that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `containerimage.digest`: of the index if there is one, else of the manifest. None without an image.
    pub digest: Option<String>,
    /// All that the exporters said: `containerimage.config.digest`, `image.name`, ….
    pub response: BTreeMap<String, String>,
    /// How many steps appeared.
    pub steps: u32,
    /// What the daemon asked for of the local directories.
    pub sent: Sent,
}

/// Starts a build. Must be called within a tokio runtime.
pub fn solve(client: &Client, mut request: BuildRequest) -> Build {
    if request.reference.is_empty() {
        request.reference = crate::random_id();
    }
    let reference = request.reference.clone();
    let (sender, events) = mpsc::channel(EVENTS);
    let solving = Task::spawn(run(client.clone(), request, sender));
    Build { reference, events: Events(events), solving: Solving(solving) }
}

async fn run(client: Client, request: BuildRequest, events: mpsc::Sender<Event>) -> Result<Outcome, BuildError> {
    let files = FileSync::new(request.local_dirs.clone(), request.limits);
    let services = Services {
        credentials: request.credentials.clone(),
        secrets: request.secrets.clone(),
        files: (!request.local_dirs.is_empty()).then(|| files.clone()),
        shared_key: request.shared_key.clone(),
    };
    let session = Session::start(&client, services).await?;
    let id = session.id().to_owned();
    let session = Lingering::new(session, &client);
    // Asked for at the same time as the solve, so that no log line is missed.
    let (ended, end) = oneshot::channel();
    let status = Task::spawn(status::follow(client.clone(), request.reference.clone(), events, end));
    let reply = client.control().solve(request::solve_request(request, &id)).await;
    drop(session);
    // It may be over by itself already, when the daemon went away.
    let _ = ended.send(reply.is_ok());
    let steps = status.await.unwrap_or_default();
    match (reply, files.failure()) {
        // BuildKit takes a `.dockerignore` that cannot be had for one that is not there.
        (Ok(_), Some(failure)) => Err(BuildError::new(ErrorClass::Transfer, failure)),
        (Ok(reply), None) => {
            let response: BTreeMap<_, _> = reply.into_inner().exporter_response.into_iter().collect();
            Ok(Outcome {
                digest: response.get("containerimage.digest").cloned(),
                response,
                steps: steps.len(),
                sent: files.sent(),
            })
        }
        (Err(refusal), _) => {
            let error = explain(&refusal, &files);
            Err(BuildError { vertex: error.vertex.map(|vertex| steps.named(&vertex)), ..error })
        }
    }
}

/// How a line of an ignore file is refused: by Go's matcher, by the reader of the file, and by ours.
const PATTERNS: &[&str] = &["syntax error in pattern", "illegal exclusion pattern", "is not a pattern"];

/// The daemon's account of the failure, or ours when the transfer failed at our end: the daemon only passes that on.
fn explain(refusal: &tonic::Status, files: &FileSync) -> BuildError {
    let error = BuildError::from_status(refusal);
    let words = files.failure().unwrap_or_else(|| error.message.clone());
    // BuildKit, or the transfer, compiled the patterns without a word of where they stand.
    let is_pattern = error.exit_code.is_none() && PATTERNS.iter().any(|text| words.contains(text));
    match files.wrong_line().filter(|_| is_pattern).or(files.failure()) {
        Some(failure) => BuildError { class: ErrorClass::Transfer, message: failure, ..error },
        None => error,
    }
}

impl Build {
    /// Waits for the end without looking at the events.
    pub async fn finish(self) -> Result<Outcome, BuildError> {
        drop(self.events);
        self.solving.await
    }
}

impl Events {
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Future for Solving {
    type Output = Result<Outcome, BuildError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|ended| {
            // Only a runtime that shuts down aborts it while this handle lives.
            ended.unwrap_or_else(|gone| Err(BuildError::new(ErrorClass::Cancelled, gone.to_string())))
        })
    }
}

impl From<ClientError> for BuildError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(status) => Self::from_status(&status),
            ClientError::SharedKey => Self::new(ErrorClass::Other, error.to_string()),
            unreachable => Self::new(ErrorClass::DaemonUnavailable, unreachable.to_string()),
        }
    }
}
