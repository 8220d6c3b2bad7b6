//! Background work: rows with a lease, so that they survive `kill -9`, and a runner that works them off.
//!
//! One file a task; each is safe to run twice. Cron entries only enqueue.

mod runner;
mod schedule;

pub use runner::run;
pub use schedule::start as start_schedule;

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
    /// Asks the forge which repositories a connection reaches.
    ListRepositories { connection_id: Uuid },
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
            Error::Forge(ForgeError::Unreachable(_)) | Error::Unavailable(_) | Error::Internal { .. } => {
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
        }
    }
}

/// Adds a task to `tx`; with `key`, only if no waiting task has that key. After the commit, `app.wake.jobs` speeds it up.
pub async fn enqueue(app: &App, tx: &Tx, task: &Task, key: Option<String>) -> Result<()> {
    enqueue_at(app, tx, task, key, app.clock.now()).await
}

/// As `enqueue`, not before `run_at`.
pub async fn enqueue_at(app: &App, tx: &Tx, task: &Task, key: Option<String>, run_at: i64) -> Result<()> {
    let payload = serde_json::to_string(task).expect("a task is plain data");
    db::jobs::add(tx, task.name(), payload, key, run_at, app.clock.now()).await?;
    app.wake.jobs.notify_one();
    Ok(())
}

async fn perform(app: &App, task: &Task) -> Result<(), JobError> {
    match task {
        Task::Prune => prune(app).await,
        Task::ListRepositories { .. } => Ok(()),
    }
}

async fn prune(app: &App) -> Result<(), JobError> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    db::sessions::prune(&tx, now).await?;
    db::jobs::prune(&tx, now - 7 * crate::clock::DAY).await?;
    tx.commit().await?;
    app.limits.forget_quiet();
    Ok(())
}
