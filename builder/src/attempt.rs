//! One attempt, from the assignment to the finish that the server took.

mod deliver;
mod journal;
mod outbox;

pub(crate) use journal::Journal;

use crate::api::{AttemptApi, Error};
use crate::build;
use crate::claim::Builder;
use crate::failure::because;
use crate::log::{Hosts, Recorder, Secrets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use outbox::Outbox;
use slipway_protocol::{Assignment, Finish, Outcome, Reason, VERSION};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Why an attempt ends before its build does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    /// Another attempt took its place, or the build is over.
    Gone,
    /// The server does not take the log, and would not another time.
    LogRefused,
    /// This builder is to stop.
    Shutdown,
}

/// How long the server may hold a heartbeat.
const LONGEST_HOLD_SECS: u64 = 15;
/// How long a server that is away is waited for when a build is over.
const PATIENCE: Duration = Duration::from_hours(24);
/// The same once the builder is to stop; else the lease runs out.
const LAST_MOMENT: Duration = Duration::from_secs(3);

type StopSender = watch::Sender<Option<Stop>>;

/// Does the work. `shutdown` becomes true when the builder is to stop.
pub(crate) async fn run(builder: &Builder, assignment: Assignment, shutdown: watch::Receiver<bool>) {
    let title = assignment.title.clone();
    tracing::info!(attempt.id = %assignment.attempt_id, "{title}: started");
    let api = builder.api.attempt(assignment.attempt_id, &assignment.attempt_token);
    let outbox = Arc::new(Outbox::new(builder.config.log.pending_bytes));
    let (stop, stopped) = watch::channel(None);
    let _helpers = [
        abort_on_drop(&tokio::spawn(heartbeat(api.clone(), assignment.lease_secs, stop.clone()))),
        abort_on_drop(&tokio::spawn(deliver::run(api.clone(), outbox.clone(), stop.clone()))),
        abort_on_drop(&tokio::spawn(pass_on(shutdown.clone(), stop))),
    ];
    let mut journal = Journal::new(recorder(builder, &assignment), outbox.clone());
    let outcome = work(builder, &assignment, &mut journal, stopped.clone()).await;
    let Some(outcome) = outcome else {
        tracing::info!("{title}: dropped, for the server gave it to nobody or to another");
        return;
    };
    journal.end(match &outcome {
        Outcome::Cancelled => Some("cancelled"),
        Outcome::TimedOut => Some("timed out"),
        Outcome::Interrupted => Some("interrupted"),
        Outcome::Failed(_) => Some("stopped"),
        Outcome::Succeeded { .. } => None,
    });
    outbox.close();
    end(&api, &outbox, outcome, stopped, shutdown, &title).await;
}

/// Says how it ended, while there is patience for a server that does not listen.
async fn end(
    api: &AttemptApi,
    outbox: &Outbox,
    outcome: Outcome,
    stopped: watch::Receiver<Option<Stop>>,
    shutdown: watch::Receiver<bool>,
    title: &str,
) {
    tokio::select! {
        () = finish(api, outbox, outcome, stopped, title) => {}
        () = patience(shutdown) => tracing::warn!("{title}: the server did not take the end of it"),
    }
}

/// Waits until the server need not be waited for any more.
async fn patience(mut shutdown: watch::Receiver<bool>) {
    let stopping = async {
        let _ = shutdown.wait_for(|down| *down).await;
    };
    if tokio::time::timeout(PATIENCE, stopping).await.is_ok() {
        tokio::time::sleep(LAST_MOMENT).await;
    }
}

fn log_refused() -> Outcome {
    let text = "the server refused the log of this build; the builder's own log says why";
    Outcome::Failed(because(Reason::Other, text).into())
}

/// Builds until the end, the deadline or a stop; `None` when nobody wants the outcome.
async fn work(
    builder: &Builder,
    assignment: &Assignment,
    journal: &mut Journal,
    mut stopped: watch::Receiver<Option<Stop>>,
) -> Option<Outcome> {
    if assignment.version != VERSION {
        let text = format!(
            "the server speaks version {} of the builder protocol and this builder version {VERSION}: update the older one",
            assignment.version
        );
        return Some(Outcome::Failed(because(Reason::BuilderUnavailable, text).into()));
    }
    let deadline = Duration::from_secs(assignment.deadline_secs);
    let building = Box::pin(build::run(builder, assignment, journal));
    tokio::select! {
        biased;
        why = stopped.wait_for(Option::is_some) => match why.ok().and_then(|why| *why) {
            Some(Stop::Cancelled) => Some(Outcome::Cancelled),
            Some(Stop::LogRefused) => Some(log_refused()),
            Some(Stop::Shutdown) => Some(Outcome::Interrupted),
            Some(Stop::Gone) | None => None,
        },
        () = tokio::time::sleep(deadline) => Some(Outcome::TimedOut),
        built = building => Some(match built {
            Ok((digest, materials)) => Outcome::Succeeded { digest, materials },
            Err(failure) => Outcome::Failed(failure.into()),
        }),
    }
}

/// Waits until every record is there, then says how it ended, until the server took it.
async fn finish(
    api: &AttemptApi,
    outbox: &Outbox,
    outcome: Outcome,
    mut stopped: watch::Receiver<Option<Stop>>,
    title: &str,
) {
    let delivered = outbox.delivered();
    let gone = stopped.wait_for(|why| *why == Some(Stop::Gone));
    tokio::select! {
        () = delivered => {}
        _ = gone => return,
    }
    let outcome = match outcome {
        Outcome::Succeeded { .. } if outbox.is_refused() => log_refused(),
        outcome => outcome,
    };
    let finish = Finish { outcome, last_record: outbox.acknowledged() };
    let mut pause = Duration::from_millis(200);
    loop {
        match api.finish(&finish).await {
            Ok(reply) => return tracing::info!("{title}: {}", reply.state),
            Err(Error::Gone) => return tracing::info!("{title}: no longer wanted"),
            Err(Error::Refused(text)) => return tracing::error!("{title}: refused: {text}"),
            Err(Error::Away(text)) => tracing::warn!("{title}: {text}; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Keeps the lease while the attempt lives. The server holds each call, so that a silent build too hears of a cancel at once.
async fn heartbeat(api: AttemptApi, lease_secs: u64, stop: StopSender) {
    let mut lease = lease_secs;
    loop {
        #[expect(clippy::disallowed_methods, reason = "measures the call")]
        let asked = Instant::now();
        match api.heartbeat((lease / 4).min(LONGEST_HOLD_SECS)).await {
            Ok(reply) => {
                lease = reply.lease_secs;
                if reply.cancel {
                    tell(&stop, Stop::Cancelled);
                }
                if !reply.cancel && asked.elapsed() > Duration::from_secs(1) {
                    continue;
                }
            }
            Err(Error::Gone) => return tell(&stop, Stop::Gone),
            // Building goes on: a server that is back decides.
            Err(error) => {
                tracing::warn!("heartbeat: {error}");
                lease = lease.min(6);
            }
        }
        tokio::time::sleep(Duration::from_millis((lease * 1000 / 3).max(500))).await;
    }
}

async fn pass_on(mut shutdown: watch::Receiver<bool>, stop: StopSender) {
    if shutdown.wait_for(|down| *down).await.is_ok() {
        tell(&stop, Stop::Shutdown);
    }
}

/// The first reason counts, but for one: what is gone is gone.
fn tell(stop: &StopSender, why: Stop) {
    stop.send_if_modified(|now| {
        let news = now.is_none() || (why == Stop::Gone && *now != Some(why));
        if news {
            *now = Some(why);
        }
        news
    });
}

fn recorder(builder: &Builder, assignment: &Assignment) -> Recorder {
    let hosts = Hosts { internal: assignment.push.host.clone(), public: assignment.push.public_host.clone() };
    Recorder::new(Secrets::new(secret_values(assignment)), hosts, builder.config.log)
}

/// Everything in an assignment that must not be read in a log.
fn secret_values(assignment: &Assignment) -> Vec<Vec<u8>> {
    let encoded = assignment.secrets.values();
    let mut values: Vec<Vec<u8>> = encoded.filter_map(|value| STANDARD.decode(value).ok()).collect();
    values.push(assignment.attempt_token.clone().into_bytes());
    let passwords = assignment.logins.iter().map(|login| login.password.0.clone().into_bytes());
    values.extend(passwords);
    values
}

struct Helper(AbortHandle);

fn abort_on_drop<T>(task: &tokio::task::JoinHandle<T>) -> Helper {
    Helper(task.abort_handle())
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
