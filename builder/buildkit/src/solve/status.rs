//! Follows a build's status and passes it on as events.

use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::{StatusRequest, StatusResponse};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tonic::Streaming;

use crate::client::Client;
use crate::event::Event;
use crate::steps::Steps;

/// The daemon closes the stream soon after the solve; this long we wait for its next message.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// A solve refused before there was a job: the daemon would look for the job for 6 s, and then find none.
const NO_JOB: Duration = Duration::from_millis(200);
/// A step that cannot begin says so at once; one that says nothing for so long runs.
const SETTLED: Duration = Duration::from_millis(500);

/// Runs until the daemon has said all, and returns the steps. `end` brings whether the solve went well.
pub(super) async fn follow(
    client: Client,
    reference: String,
    events: mpsc::Sender<Event>,
    end: oneshot::Receiver<bool>,
) -> Steps {
    let mut steps = Steps::default();
    let mut stream = None;
    let mut waiting = Waiting { end: Some(end), succeeded: false, patience: None };
    let is_whole = loop {
        let asked = waiting.next(steps.len() > 0, async {
            if stream.is_none() {
                stream = Some(ask(&client, &reference).await);
            }
            stream.as_mut()?.message().await.transpose()
        });
        let limit = if steps.is_unsettled() { SETTLED } else { Duration::MAX };
        let new = match timeout(limit, asked).await {
            Ok(Heard::Message(message)) => steps.apply(message),
            Ok(Heard::End) => break true,
            Ok(Heard::Nothing) => break false,
            Err(_quiet) => steps.settle(),
        };
        for event in new {
            // A reader who left does not stop the build; the steps are still counted.
            let _ = events.send(event).await;
        }
    };
    // Of a build whose messages broke off nobody knows what was cached.
    let succeeded = waiting.succeeded().await && is_whole;
    for event in steps.finish(succeeded) {
        let _ = events.send(event).await;
    }
    steps
}

/// Asks until the daemon knows the build; the caller gives up when the solve has ended.
async fn ask(client: &Client, reference: &str) -> Streaming<StatusResponse> {
    loop {
        match client.control().status(StatusRequest { r#ref: reference.to_owned() }).await {
            Ok(stream) => return stream.into_inner(),
            Err(error) => tracing::debug!(%error, "no status yet of build {reference}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

type Message = Result<StatusResponse, tonic::Status>;

/// What came of waiting for a message.
enum Heard {
    Message(StatusResponse),
    /// The daemon has said all.
    End,
    /// It took too long after the end of the solve, or the stream broke.
    Nothing,
}

impl From<Option<Message>> for Heard {
    fn from(message: Option<Message>) -> Self {
        match message {
            Some(Ok(message)) => Self::Message(message),
            None => Self::End,
            Some(Err(_broken)) => Self::Nothing,
        }
    }
}

/// How long a message is waited for: any time while the solve runs, then only so long.
struct Waiting {
    /// Brings whether the solve went well; none when that is known.
    end: Option<oneshot::Receiver<bool>>,
    succeeded: bool,
    patience: Option<Duration>,
}

impl Waiting {
    async fn next(&mut self, any_seen: bool, message: impl Future<Output = Option<Message>>) -> Heard {
        tokio::pin!(message);
        if let Some(end) = self.end.as_mut() {
            tokio::select! {
                message = &mut message => return Heard::from(message),
                succeeded = end => {
                    self.succeeded = succeeded.unwrap_or(false);
                    self.patience = Some(if any_seen || self.succeeded { LAST_WORDS } else { NO_JOB });
                    self.end = None;
                }
            }
        }
        let heard = timeout(self.patience.unwrap_or(LAST_WORDS), message).await;
        heard.map_or(Heard::Nothing, Heard::from)
    }

    /// Whether the solve went well, once it is over.
    async fn succeeded(self) -> bool {
        match self.end {
            Some(end) => end.await.unwrap_or(false),
            None => self.succeeded,
        }
    }
}
