//! Sealing: the batches of an attempt that ended become one object in storage, with an index.

use super::index::Index;
use super::read::{parse, spans};
use crate::app::App;
use crate::clock::{MINUTE, Millis};
use crate::db::{self, ObjectKey, ObjectKind, Tx, rows};
use crate::error::{Context, Error, Result};
use crate::jobs::{self, Task};
use crate::names::Hasher;
use crate::registry::objects;
use crate::storage::Writer;
use bytes::Bytes;
use uuid::Uuid;

/// Batches that go in one transaction: about 2 MiB.
const AT_ONCE: u64 = 8;
/// Logs of one transaction that are asked for again.
const MOST_ASKED: u64 = 200;
/// Most logs are sealed by then.
const SOON: Millis = 10 * MINUTE;

/// Seals the log of an attempt that ended. Safe to run twice, and after a crash in between.
pub async fn seal(app: &App, attempt_id: Uuid) -> Result<()> {
    let Some(attempt) = db::builds::find_attempt(&app.db, attempt_id).await? else { return Ok(()) };
    if attempt.ended_at.is_none() {
        return Err(Error::invalid("the attempt has not ended"));
    }
    if attempt.last_record == 0 {
        return Ok(());
    }
    if db::logs::find_sealed(&app.db, attempt_id).await?.is_none() {
        store(app, &attempt).await?;
    }
    // Only now, and a few at a time: a large log has hundreds of megabytes.
    loop {
        let last = db::logs::last_batches(&app.db, attempt_id, AT_ONCE).await?;
        if last.is_empty() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        db::logs::delete_batches(&tx, &last).await?;
        tx.commit().await?;
    }
}

/// Has the logs sealed of attempts that ended and that no job is about to seal.
pub async fn resume(app: &App) -> Result<()> {
    let mut after = Uuid::nil();
    let mut asked = None;
    loop {
        let left = db::logs::unsealed(&app.db, app.clock.now() - SOON, after, MOST_ASKED).await?;
        let Some(last) = left.last() else { return Ok(()) };
        after = *last;
        if asked.is_none() {
            // Those that failed are for a person to look at.
            asked = Some(jobs::asked_for(app, &Task::SealLog { attempt_id: Uuid::nil() }).await?);
        }
        let tx = app.db.begin().await?;
        for attempt_id in left {
            let task = Task::SealLog { attempt_id };
            if !asked.iter().flatten().any(|known| *known == task) {
                ask(app, &tx, attempt_id).await?;
            }
        }
        tx.commit().await?;
    }
}

/// Has the log of an attempt sealed that ended in this transaction.
pub async fn ask(app: &App, tx: &Tx, attempt_id: Uuid) -> Result<()> {
    jobs::enqueue(app, tx, &Task::SealLog { attempt_id }, Some(format!("seal:{attempt_id}"))).await
}

/// As `seal`, but the rows stay: a server that is killed leaves it so.
#[cfg(test)]
pub async fn store_only(app: &App, attempt_id: Uuid) {
    let attempt = db::builds::find_attempt(&app.db, attempt_id).await.unwrap().unwrap();
    store(app, &attempt).await.unwrap();
}

async fn store(app: &App, attempt: &rows::Attempt) -> Result<()> {
    let attempt_id = attempt.id;
    // The rows stay until there is room for the bytes beside them; the job is tried again.
    app.room()?;
    // Bytes before rows: a crash in between leaves an object that nobody names, never a log that cannot be read.
    let key = db::objects::register(&app.db, ObjectKind::Log, app.clock.now()).await?;
    let index = match write(app, attempt_id, &key).await {
        Ok(index) => index,
        Err(error) => {
            objects::discard(app, &key).await.ok();
            return Err(error);
        }
    };
    let row = rows::SealedLog {
        id: Uuid::now_v7(),
        attempt_id,
        storage_key: key.clone(),
        records: attempt.last_record,
        size_bytes: i64::try_from(index.end.bytes).unwrap_or(i64::MAX),
        index: serde_json::to_string(&index).context("writing the index of a log")?,
    };
    let tx = app.db.begin().await?;
    match db::logs::insert_sealed(&tx, row).await {
        Err(Error::Conflict(_)) => {
            drop(tx);
            return objects::discard(app, &key).await;
        }
        other => other?,
    }
    tx.commit().await
}

async fn write(app: &App, attempt_id: Uuid, key: &ObjectKey) -> Result<Index> {
    let mut writer = app.storage.write(key, 0, Hasher::default());
    match fill(app, attempt_id, &mut writer).await {
        Ok(index) => writer.finish().await.map(|_| index),
        Err(error) => {
            writer.undo().await?;
            Err(error)
        }
    }
}

async fn fill(app: &App, attempt_id: Uuid, writer: &mut Writer) -> Result<Index> {
    let mut index = Index::with_spans(spans(app, attempt_id, u64::MAX).await?);
    let mut after = 0;
    while let Some(batch) = db::logs::batch_after(&app.db, attempt_id, after).await? {
        let lines = batch.body.split_inclusive(|b| *b == b'\n');
        let records = parse(&batch.body)?;
        for ((number, record), line) in (batch.first.unsigned_abs()..).zip(&records).zip(lines) {
            index.add(number, record, line.len() as u64);
        }
        after = batch.last;
        writer.write(Bytes::from(batch.body)).await?;
    }
    Ok(index)
}
