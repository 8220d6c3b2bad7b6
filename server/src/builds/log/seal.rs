//! Sealing: the batches of an attempt that ended become one object in storage, with an index.

use super::index::Index;
use super::read::parse;
use crate::app::App;
use crate::db::{self, rows};
use crate::error::{Context, Error, Result};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Seals the log of an attempt that ended. Safe to run twice, and after a crash in between.
pub async fn seal(app: &App, attempt_id: Uuid) -> Result<()> {
    let Some(attempt) = db::builds::find_attempt(&app.db, attempt_id).await? else { return Ok(()) };
    if attempt.ended_at.is_none() {
        return Err(Error::invalid("the attempt has not ended"));
    }
    if attempt.last_record == 0 || db::logs::find_sealed(&app.db, attempt_id).await?.is_some() {
        return Ok(());
    }
    // Bytes before rows: a crash in between leaves an object that nobody names, never a log that cannot be read.
    let key = crate::storage::new_key("logs");
    let index = write(app, attempt_id, &key).await?;
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
            return app.storage.remove(&key).await;
        }
        other => other?,
    }
    db::logs::delete_batches(&tx, attempt_id).await?;
    tx.commit().await
}

async fn write(app: &App, attempt_id: Uuid, key: &str) -> Result<Index> {
    let mut writer = app.storage.write(key, 0, Sha256::new());
    let mut index = Index::default();
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
    writer.finish().await?;
    Ok(index)
}
