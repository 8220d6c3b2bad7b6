//! Reads what Slipway said in logs of the version before into rows, a few logs a job: others of its lane come in between.

use super::{JobError, Task, enqueue};
use crate::app::App;
use crate::builds::log;
use uuid::Uuid;

pub(super) async fn run(app: &App, before: Option<Uuid>) -> Result<(), JobError> {
    let Some(last) = log::fill_some(app, before).await? else { return Ok(()) };
    let tx = app.db.begin().await?;
    let next = Task::ReadNotices { before: Some(last) };
    enqueue(app, &tx, &next, Some(format!("read-notices:{last}"))).await?;
    Ok(tx.commit().await?)
}

/// At a start: only the first one after an upgrade has something to do.
pub async fn at_start(app: &App) -> crate::error::Result<()> {
    let known = super::open(app, &Task::ReadNotices { before: None }).await?;
    if !known.is_empty() || !log::with_unread_notices(app).await? {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    enqueue(app, &tx, &Task::ReadNotices { before: None }, Some("read-notices".into())).await?;
    tx.commit().await
}
