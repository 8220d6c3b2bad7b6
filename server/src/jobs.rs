//! Background work: rows with a lease, so that they survive `kill -9`, and a runner that works them off.
//!
//! One file a task; each is safe to run twice. Cron entries only enqueue.

mod add_bundle;
mod ask_organizations;
mod ensure_hook;
mod forget_old;
mod lanes;
mod list_repositories;
mod poll_source;
mod process_delivery;
mod prune;
mod read_notices;
mod remove_hook;
mod remove_repository;
mod runner;
mod scan_repositories;
mod schedule;
mod seal_log;
mod set_commit_status;
mod sign_again;
mod sweep_leases;
mod sweep_objects;
mod take_up;
#[cfg(test)]
mod tests;
mod turn;

pub use read_notices::at_start;
pub use runner::run;
pub use schedule::start as start_schedule;
pub use turn::Turn;

use crate::app::App;
use crate::db::{self, Tx};
use crate::error::{Error, ForgeError, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Everything that can be asked for; the payload is ids, so it stays small and fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Forgets ended sessions, sign-ins, uploads and jobs.
    Prune,
    /// Fetches what a connection may import.
    ListRepositories { connection_id: Uuid },
    /// Finds the Dockerfiles of listed repositories: of these, or of the most recently pushed ones.
    ScanRepositories { connection_id: Uuid, only: Vec<Uuid> },
    /// Makes the webhook of a source, or puts it right.
    EnsureHook { source_id: Uuid },
    /// Removes the webhook of a source that is gone here.
    RemoveHook { connection_id: Uuid, forge_url: String, repository_remote_id: String, hook_remote_id: String },
    /// Removes what a deleted repository held.
    RemoveRepository { repository_id: Uuid },
    /// Removes the bytes that nobody names.
    SweepObjects,
    /// Reads what a forge sent.
    ProcessDelivery { delivery_id: Uuid },
    /// Compares the refs of one source.
    PollSource { source_id: Uuid },
    /// Compares the refs of all sources that are due.
    PollDueSources,
    /// Makes all sources due, after a time in which nobody listened.
    ReconcileSources,
    /// Moves the log of an attempt that ended from rows into storage.
    SealLog { attempt_id: Uuid },
    /// Reads what Slipway said in logs of the version before, newest first.
    ReadNotices { before: Option<Uuid> },
    /// Ends attempts whose builder is silent.
    SweepLeases,
    /// Tries again what gave up.
    TakeUp,
    /// Forgets events, tag moves, refs and logs that are old.
    ForgetOld,
    /// Asks about everybody whose rights rest on an organisation and who was not asked about for a day.
    AskOrganizations,
    /// The same for one organisation.
    AskOrganization { forge_url: String, organization_id: String },
    /// Shows a build's state on its commit.
    SetCommitStatus { build_id: Uuid },
    /// Signs the images of a namespace with its new key.
    SignAgain { namespace_id: Uuid },
    /// Adds a bundle of ours to an image that has one of somebody else.
    AddBundle { repository_id: Uuid, digest: String },
}

/// Why a task did not succeed, and whether trying again can help.
#[derive(Debug)]
pub enum JobError {
    Retry(Error),
    /// Not before so many seconds have gone.
    RetryAfter(Error, u64),
    Fail(Error),
}

/// Most errors pass: a forge that is down, a database that is away. A refusal does not.
impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        match error {
            Error::Forge(ForgeError::RateLimited(secs)) => Self::RetryAfter(error, secs),
            Error::Forge(ForgeError::Unreachable(_)) | Error::Unavailable(_) | Error::Full | Error::Internal { .. } => {
                Self::Retry(error)
            }
            other => Self::Fail(other),
        }
    }
}

impl Task {
    fn name(&self) -> &'static str {
        match self {
            Self::Prune => "prune",
            Self::ListRepositories { .. } => "list_repositories",
            Self::SealLog { .. } => "seal_log",
            Self::ReadNotices { .. } => "read_notices",
            Self::SweepLeases => "sweep_leases",
            Self::TakeUp => "take_up",
            Self::ForgetOld => "forget_old",
            Self::ScanRepositories { .. } => "scan_repositories",
            Self::EnsureHook { .. } => "ensure_hook",
            Self::RemoveHook { .. } => "remove_hook",
            Self::RemoveRepository { .. } => "remove_repository",
            Self::SweepObjects => "sweep_objects",
            Self::ProcessDelivery { .. } => "process_delivery",
            Self::PollSource { .. } => "poll_source",
            Self::PollDueSources => "poll_due_sources",
            Self::ReconcileSources => "reconcile_sources",
            Self::AskOrganizations => "ask_organizations",
            Self::AskOrganization { .. } => "ask_organization",
            Self::SetCommitStatus { .. } => "set_commit_status",
            Self::SignAgain { .. } => "sign_again",
            Self::AddBundle { .. } => "add_bundle",
        }
    }
}

/// Adds a task to `tx`; with `key`, only if no waiting task has that key. The commit wakes a worker.
pub async fn enqueue(app: &App, tx: &Tx, task: &Task, key: Option<String>) -> Result<()> {
    enqueue_at(app, tx, task, key, app.clock.now()).await
}

/// As `enqueue`, not before `run_at`, which is at most an hour ahead: a time beyond that is taken for one of a wrong clock.
pub async fn enqueue_at(app: &App, tx: &Tx, task: &Task, key: Option<String>, run_at: i64) -> Result<()> {
    let now = app.clock.now();
    let new = db::jobs::NewJob {
        lane: task.lane(),
        kind: task.name(),
        payload: serde_json::to_string(task).expect("a task is plain data"),
        dedupe_key: key,
        run_at: run_at.min(now + db::jobs::LONGEST_WAIT),
    };
    db::jobs::add(tx, new, now).await?;
    let wake = app.wake.clone();
    tx.on_commit(move || wake.jobs_added());
    Ok(())
}

/// Has the list of a connection fetched anew, unless that waits to be done already.
pub async fn list_repositories(app: &App, tx: &Tx, connection_id: Uuid) -> Result<()> {
    let key = format!("list-repositories:{connection_id}");
    enqueue(app, tx, &Task::ListRepositories { connection_id }, Some(key)).await
}

/// Tasks of the same kind as `like` that wait, run or will be tried again.
pub async fn open(app: &App, like: &Task) -> Result<Vec<Task>> {
    Ok(read(&db::jobs::open_payloads(&app.db, like.lane(), like.name()).await?))
}

/// Tasks of the same kind as `like` that are not done, also those that gave up or failed: they are asked for no more.
pub async fn asked_for(app: &App, like: &Task) -> Result<Vec<Task>> {
    Ok(read(&db::jobs::all_payloads(&app.db, like.lane(), like.name()).await?))
}

fn read(payloads: &[String]) -> Vec<Task> {
    payloads.iter().filter_map(|payload| serde_json::from_str(payload).ok()).collect()
}

async fn perform(app: &App, task: &Task) -> Result<(), JobError> {
    match task {
        Task::Prune => prune::run(app).await,
        Task::ListRepositories { connection_id } => list_repositories::run(app, *connection_id).await,
        Task::ScanRepositories { connection_id, only } => scan_repositories::run(app, *connection_id, only).await,
        Task::EnsureHook { source_id } => ensure_hook::run(app, *source_id).await,
        Task::RemoveHook { connection_id, forge_url, repository_remote_id, hook_remote_id } => {
            remove_hook::run(app, *connection_id, forge_url, repository_remote_id, hook_remote_id).await
        }
        Task::RemoveRepository { repository_id } => remove_repository::run(app, *repository_id).await,
        Task::SweepObjects => sweep_objects::run(app).await,
        Task::ProcessDelivery { delivery_id } => process_delivery::run(app, *delivery_id).await,
        Task::PollSource { source_id } => poll_source::run(app, *source_id).await,
        Task::PollDueSources => poll_source::run_due(app).await,
        Task::ReconcileSources => poll_source::reconcile(app).await,
        Task::AskOrganizations => ask_organizations::run(app).await,
        Task::AskOrganization { forge_url, organization_id } => {
            ask_organizations::run_one(app, forge_url, organization_id).await
        }
        Task::SetCommitStatus { build_id } => set_commit_status::run(app, *build_id).await,
        Task::SignAgain { namespace_id } => sign_again::run(app, *namespace_id).await,
        Task::AddBundle { repository_id, digest } => add_bundle::run(app, *repository_id, digest).await,
        Task::SealLog { attempt_id } => seal_log::run(app, *attempt_id).await,
        Task::ReadNotices { before } => read_notices::run(app, *before).await,
        Task::SweepLeases => sweep_leases::run(app).await,
        Task::TakeUp => take_up::run(app).await,
        Task::ForgetOld => forget_old::run(app).await,
    }
}

/// Does a task as a worker would, at once.
#[cfg(test)]
pub(crate) async fn perform_now(app: &App, task: &Task) -> Result<(), JobError> {
    perform(app, task).await
}
