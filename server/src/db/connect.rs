//! Opening the database and beginning transactions.

use super::Db;
use crate::error::{Error, Result};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use slipway_migrations::{Migrator, MigratorTrait};
use std::time::Duration;

/// Opens `url` (`sqlite:/path/file.db` or `postgres://…`) without touching its schema.
pub async fn open(url: &str, connections: u32) -> Result<Db> {
    let is_postgres = url.starts_with("postgres");
    if is_postgres {
        let pool = pool(url, connections).await?;
        return Ok(Db {
            read: pool.clone(),
            write: pool,
            is_postgres,
            #[cfg(test)]
            statements: std::sync::Arc::default(),
        });
    }
    // The writer first: it makes the file.
    let write = pool(url, 1).await?;
    #[cfg_attr(not(test), expect(unused_mut, reason = "tests count its statements"))]
    let mut read = pool(url, connections).await?;
    Ok(Db {
        #[cfg(test)]
        statements: counted(&mut read),
        read,
        write,
        is_postgres,
    })
}

#[cfg(test)]
fn counted(connection: &mut DatabaseConnection) -> std::sync::Arc<std::sync::atomic::AtomicU64> {
    let count = std::sync::Arc::<std::sync::atomic::AtomicU64>::default();
    let counts = count.clone();
    connection.set_metric_callback(move |_| {
        counts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    count
}

/// Brings the schema up to date.
pub async fn migrate(db: &Db) -> Result<()> {
    Migrator::up(&db.write, None).await.map_err(|e| Error::internal("migrating the database", e))
}

/// How many migrations are not applied yet.
pub async fn pending_migrations(db: &Db) -> Result<usize> {
    let pending = Migrator::get_pending_migrations(&db.write).await;
    Ok(pending.map_err(|e| Error::internal("asking for migrations", e))?.len())
}

async fn pool(url: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .sqlx_logging(false)
        // FULL: with NORMAL the power's going takes acknowledged rows along.
        .map_sqlx_sqlite_opts(|o| {
            o.journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                .foreign_keys(true)
                .create_if_missing(true)
        });
    Database::connect(options).await.map_err(|e| Error::internal("opening the database", e))
}

pub(super) async fn begin_immediate(connection: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(connection.begin_with_options(options).await?)
}

#[cfg(test)]
mod tests;
