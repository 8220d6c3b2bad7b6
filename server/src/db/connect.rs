//! Opening the database and beginning transactions.

mod turn;

pub use turn::Turn;

use super::Db;
use crate::error::{Error, Result};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
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
            costs: super::costs::Costs::default(),
        });
    }
    // The writer first: it makes the file.
    let write = pool(url, 1).await?;
    let read = pool(url, connections).await?;
    #[cfg(test)]
    let (read, write, costs) = super::costs::watch(read, write);
    Ok(Db {
        read,
        write,
        is_postgres,
        #[cfg(test)]
        costs,
    })
}

/// Opens `url` to look at it: nothing is made and nothing is written, also where a server is at work.
pub async fn open_to_read(url: &str) -> Result<Db> {
    let Some(file) = url.strip_prefix("sqlite:") else { return open(url, 1).await };
    // Without a write-ahead log nobody has it open, and SQLite need not make one to read. A server that starts meanwhile
    // may spoil this one answer.
    let is_alone = !std::path::Path::new(&format!("{}-wal", file.trim_start_matches("//"))).exists();
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(move |o| {
        o.read_only(true).immutable(is_alone).create_if_missing(false).busy_timeout(Duration::from_secs(10))
    });
    let read = Database::connect(options).await.map_err(|e| Error::internal("opening the database", e))?;
    Ok(Db {
        write: read.clone(),
        read,
        is_postgres: false,
        #[cfg(test)]
        costs: super::costs::Costs::default(),
    })
}

/// Brings the schema up to date. Where other servers may do the same, that takes a `Turn`.
pub async fn migrate(db: &Db) -> Result<()> {
    Migrator::up(&db.write, None).await.map_err(|e| Error::internal("migrating the database", e))
}

/// Which migrations a database has had, and which it lacks, by name and oldest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Migrations {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
}

/// Compares the database with this program; changes nothing. A database that a newer program has migrated is an error,
/// and so is that of another program.
pub async fn migrations(db: &Db) -> Result<Migrations> {
    let known: Vec<String> = Migrator::migrations().iter().map(|m| m.name().to_owned()).collect();
    let applied = applied(db).await?;
    if !applied.iter().any(|name| known.contains(name))
        && let Some(table) = table_of_another(db).await?
    {
        return Err(Error::Conflict(format!(
            "this is the database of another program: it holds the table `{table}` and nothing of Slipway; set \
             `database.url` to a database of its own, or move this one away"
        )));
    }
    if let Some(newer) = applied.iter().find(|name| !known.contains(name)) {
        return Err(Error::Conflict(format!(
            "a newer slipway has migrated this database (`{newer}`): start that version, or go back to the copy or \
             backup that was made before"
        )));
    }
    let pending = known.into_iter().filter(|name| !applied.contains(name)).collect();
    Ok(Migrations { applied, pending })
}

async fn applied(db: &Db) -> Result<Vec<String>> {
    const TABLE: &str = "seaql_migrations";
    let exists = if db.is_postgres {
        format!("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = '{TABLE}'")
    } else {
        format!("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'")
    };
    let backend = db.read.get_database_backend();
    if db.read.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
        return Ok(Vec::new());
    }
    let all = Statement::from_string(backend, format!("SELECT version FROM {TABLE} ORDER BY version"));
    let rows = db.read.query_all_raw(all).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?)
}

/// A table that is not the one of migrations, nor one that an extension brought.
async fn table_of_another(db: &Db) -> Result<Option<String>> {
    let any = if db.is_postgres {
        "SELECT relname::text FROM pg_class c WHERE relkind IN ('r', 'p') AND relname <> 'seaql_migrations'
            AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'seaql_migrations'
            AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1 LIMIT 1"
    };
    let found = db.read.query_one_raw(Statement::from_string(db.read.get_database_backend(), any)).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Goes back to the schema of the version that knew no objects.
#[cfg(test)]
pub(crate) async fn before_objects(db: &Db) {
    go_before(db, "create_object").await;
}

/// Goes back to the schema before the migration whose name holds `name`.
#[cfg(test)]
pub(crate) async fn go_before(db: &Db, name: &str) {
    let position = Migrator::migrations().iter().position(|m| m.name().contains(name)).unwrap();
    let applied = applied(db).await.unwrap().len();
    Migrator::down(&db.write, Some(u32::try_from(applied - position).unwrap())).await.unwrap();
}

#[cfg(test)]
pub(crate) async fn execute(db: &Db, sql: &str) {
    db.write.execute_unprepared(sql).await.unwrap();
}

#[cfg(test)]
pub(crate) async fn number(db: &Db, sql: &str) -> Option<i64> {
    let row = db.read.query_one_raw(Statement::from_string(db.read.get_database_backend(), sql)).await.unwrap()?;
    Some(row.try_get_by_index(0).unwrap())
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
