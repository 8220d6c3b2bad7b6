//! What happens by the clock. An entry only enqueues: an entry that takes longer than its period would overlap itself.

use super::{Task, enqueue};
use crate::app::App;
use crate::error::{Context, Result};
use std::sync::Arc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Six fields: the first one is seconds.
const ENTRIES: &[(&str, Task)] = &[
    ("0 */10 * * * *", Task::Prune),
    ("30 */10 * * * *", Task::SweepObjects),
    ("*/15 * * * * *", Task::SweepLeases),
    ("* * * * * *", Task::PollDueSources),
    ("0 7 * * * *", Task::TakeUp),
    ("0 27 * * * *", Task::ForgetOld),
    // Each organisation is due once a day; the hours spread them.
    ("0 17 * * * *", Task::AskOrganizations),
];

/// The kinds of task that come back by the clock.
pub(super) fn kinds() -> Vec<&'static str> {
    ENTRIES.iter().map(|(_, task)| task.name()).collect()
}

/// Whether the clock brings a kind of task.
pub(super) fn brings(kind: &str) -> bool {
    ENTRIES.iter().any(|(_, task)| task.name() == kind)
}

/// Starts the clock; it stops when the scheduler is dropped.
pub async fn start(app: &Arc<App>) -> Result<JobScheduler> {
    let scheduler = JobScheduler::new().await.context("starting the scheduler")?;
    for (when, task) in ENTRIES {
        let app = app.clone();
        let job = Job::new_async(*when, move |_, _| {
            let app = app.clone();
            Box::pin(async move {
                if let Err(error) = add(&app, task).await {
                    tracing::error!("a scheduled task was not enqueued: {}", error.for_log());
                }
            })
        });
        scheduler.add(job.context("reading a schedule")?).await.context("adding to the schedule")?;
    }
    // Nobody listened while we were away.
    add(app, &Task::ReconcileSources).await?;
    scheduler.start().await.context("starting the scheduler")?;
    Ok(scheduler)
}

async fn add(app: &App, task: &Task) -> Result<()> {
    // A look is cheap, a row is not.
    if *task == Task::PollDueSources && !crate::sources::polling::is_wanted(app).await? {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    enqueue(app, &tx, task, Some(format!("{task:?}"))).await?;
    tx.commit().await
}
