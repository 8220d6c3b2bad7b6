//! A copy of the database at one moment, and what it names in storage.

use super::entity::builds::sealed_log;
use super::entity::registry::{blob, object, upload};
use super::{Db, ObjectKey, ObjectState, OwnerKind};
use crate::error::{Context, Error, Result};
use sea_orm::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{AccessMode, DatabaseTransaction, DbBackend, IsolationLevel, QuerySelect, Statement, TransactionTrait};
use slipway_migrations::{Migrator, MigratorTrait};
use std::path::Path;
use url::Url;

/// An object that rows name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    pub key: ObjectKey,
    pub size: u64,
    /// Sealed logs have none.
    pub digest: Option<String>,
}

/// Writes a whole copy of an SQLite database into a new file. A reader's transaction: writers go on meanwhile.
pub async fn copy_sqlite(db: &Db, to: &Path) -> Result<()> {
    let to = to.to_str().ok_or_else(|| Error::invalid("the path of the backup is not UTF-8"))?;
    let sql = format!("VACUUM INTO '{}'", to.replace('\'', "''"));
    db.read.execute_unprepared(&sql).await.context("copying the database")?;
    Ok(())
}

/// One moment of a PostgreSQL database, which its own tools can look at too; it lasts as long as this value.
pub struct Snapshot {
    transaction: DatabaseTransaction,
    pub id: String,
}

impl Snapshot {
    pub async fn take(db: &Db) -> Result<Self> {
        let (level, mode) = (Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly));
        let transaction = db.read.begin_with_config(level, mode).await?;
        let ask = Statement::from_string(DbBackend::Postgres, "SELECT pg_export_snapshot() AS id");
        let row = transaction.query_one_raw(ask).await?;
        let id = row.ok_or_else(|| Error::internal("taking a snapshot", "no answer"))?.try_get("", "id")?;
        Ok(Self { transaction, id })
    }

    /// Everything in storage that the rows named at that moment.
    pub async fn stored(&self) -> Result<Vec<Stored>> {
        named(&self.transaction).await
    }
}

/// Whether there are tables already, of ours or of somebody else; asked of PostgreSQL only.
pub async fn has_tables(db: &Db) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM pg_tables WHERE schemaname = current_schema() LIMIT 1";
    let ask = Statement::from_string(DbBackend::Postgres, sql);
    Ok(db.read.query_one_raw(ask).await?.is_some())
}

/// Takes back every migration: after a restore that failed the database is as empty as it was.
pub async fn empty(db: &Db) -> Result<()> {
    Migrator::reset(&db.write).await.map_err(|e| Error::internal("emptying the database", e))
}

/// Everything in storage that the rows name.
pub async fn stored(db: &Db) -> Result<Vec<Stored>> {
    named(&db.read).await
}

async fn named(c: &impl ConnectionTrait) -> Result<Vec<Stored>> {
    let blobs: Vec<(ObjectKey, i64, String)> = blob::Entity::find()
        .select_only()
        .column(blob::Column::StorageKey)
        .column(blob::Column::SizeBytes)
        .column(blob::Column::Digest)
        .into_tuple()
        .all(c)
        .await?;
    let logs: Vec<(ObjectKey, i64)> = sealed_log::Entity::find()
        .select_only()
        .column(sealed_log::Column::StorageKey)
        .column(sealed_log::Column::SizeBytes)
        .into_tuple()
        .all(c)
        .await?;
    let size = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
    let blobs = blobs.into_iter().map(|(key, bytes, digest)| Stored { key, size: size(bytes), digest: Some(digest) });
    let logs = logs.into_iter().map(|(key, bytes)| Stored { key, size: size(bytes), digest: None });
    Ok(blobs.chain(logs).collect())
}

/// Forgets uploads in flight, and objects that no row names: their bytes are not part of a backup, and clients start
/// again.
pub async fn forget_uploads(db: &Db) -> Result<()> {
    upload::Entity::delete_many().exec(&db.write).await?;
    let not_here = object::Column::State.ne(ObjectState::Owned).or(object::Column::OwnerKind.eq(OwnerKind::Upload));
    object::Entity::delete_many().filter(not_here).exec(&db.write).await?;
    Ok(())
}

/// Closes all connections, so that SQLite leaves one file behind.
pub async fn close(db: Db) -> Result<()> {
    let (read, write) = (db.read, db.write);
    read.close().await?;
    Ok(write.close().await?)
}

/// How `pg_dump` and `pg_restore` are told of a database: the password goes by the environment, never as an argument.
pub fn postgres_arguments(url: &str) -> Result<(String, Option<String>)> {
    let mut url = Url::parse(url).context("reading database.url")?;
    let decode = |p: &str| {
        let pair = format!("x={}", p.replace('+', "%2B"));
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, v)| v.into_owned()).unwrap_or_default()
    };
    let password = url.password().map(decode);
    url.set_password(None).map_err(|()| Error::invalid("database.url has no host"))?;
    Ok((url.to_string(), password))
}
