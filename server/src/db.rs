//! The database: connections, transactions, and questions grouped by aggregate.
//!
//! `sea_orm` is named only below this module. SQLite has one writer connection and many readers;
//! a transaction there is `BEGIN IMMEDIATE`, because a deferred one fails when it is upgraded.
//!
//! On PostgreSQL a transaction that holds several rows takes them in one order, or two of them wait for each other:
//!
//! ```text
//! source → repository → build → attempt → namespace → upload → blob → object
//! membership → user
//! ```
//! Several rows of one table are locked by id, memberships by person and then by organisation. To insert a row that refers
//! to another holds that one too, if weakly: only what deletes it has to wait.

pub mod ages;
pub mod attempts;
pub mod backup;
pub mod bases;
pub mod blobs;
pub mod build_inputs;
pub mod build_lists;
pub mod build_search;
pub mod builds;
pub mod catalog;
pub mod connect;
#[cfg(test)]
mod costs;
pub mod edges;
pub mod entity;
pub mod events;
pub mod jobs;
pub mod keys;
pub mod logs;
pub mod manifests;
pub mod memberships;
pub mod namespaces;
pub mod objects;
pub mod queue;
pub mod removal;
pub mod repositories;
pub mod search;
pub mod sessions;
pub mod signing_runs;
pub mod sources;
pub mod tags;
pub mod tokens;
pub mod turned_private;
pub mod uploads;
pub mod users;

pub use entity::values::*;
pub use objects::ObjectKey;

use crate::error::{Error, Result};
use sea_orm::{ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqlErr};
use std::sync::Mutex;

/// The rows as plain structs, named in the singular.
pub mod rows {
    pub use super::entity::accounts::{
        connection::Model as Connection, identity::Model as Identity, invite::Model as Invite,
        membership::Model as Membership, namespace::Model as Namespace, namespace_grant::Model as Grant,
        session::Model as Session, sign_in::Model as SignIn, token::Model as Token, user::Model as User,
    };
    pub use super::entity::builds::{
        allowed_base::Model as AllowedBase, build::Model as Build, build_attempt::Model as Attempt,
        build_step::Model as Step, log_batch::Model as LogBatch, material::Model as Material,
        sealed_log::Model as SealedLog,
    };
    pub use super::entity::operations::{
        event::Model as Event, job::Model as Job, signing_key::Model as SigningKey, signing_run::Model as SigningRun,
    };
    pub use super::entity::registry::{
        blob::Model as Blob, manifest::Model as Manifest, manifest_edge::Model as Edge, object::Model as Object,
        repository::Model as Repository, tag::Model as Tag, tag_move::Model as TagMove, upload::Model as Upload,
    };
    pub use super::entity::sources::{
        forge_repository::Model as ForgeRepository, hook_delivery::Model as HookDelivery, rule::Model as Rule,
        source::Model as Source, source_ref::Model as SourceRef, turned_private::Model as TurnedPrivate,
    };
}

/// The open database.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    is_postgres: bool,
    #[cfg(test)]
    costs: costs::Costs,
}

/// A transaction; dropped without `commit` it leaves nothing.
pub struct Tx {
    inner: DatabaseTransaction,
    is_postgres: bool,
    after: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    #[cfg(test)]
    size: costs::Size,
}

/// What a question can be asked of: the database or a transaction.
pub trait Ask: Sync {
    type Connection: ConnectionTrait;
    fn connection(&self) -> &Self::Connection;
    /// Row locks and `SKIP LOCKED` exist there only.
    fn is_postgres(&self) -> bool;
}

impl Ask for Db {
    type Connection = DatabaseConnection;
    fn connection(&self) -> &DatabaseConnection {
        &self.read
    }
    fn is_postgres(&self) -> bool {
        self.is_postgres
    }
}

impl Ask for Tx {
    type Connection = DatabaseTransaction;
    fn connection(&self) -> &DatabaseTransaction {
        &self.inner
    }
    fn is_postgres(&self) -> bool {
        self.is_postgres
    }
}

impl Db {
    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = connect::begin_immediate(&self.write).await?;
        Ok(Tx {
            #[cfg(test)]
            size: costs::Size::begin(&inner, self).await,
            inner,
            is_postgres: self.is_postgres,
            after: Mutex::default(),
        })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.read.ping().await?)
    }

    /// Until another transaction of this database waits for a lock.
    #[cfg(test)]
    pub(crate) async fn until_somebody_waits(&self) {
        use sea_orm::Statement;
        let sql =
            "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let ask = || Statement::from_string(sea_orm::DbBackend::Postgres, sql);
        while self.read.query_one_raw(ask()).await.unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub fn kind(&self) -> &'static str {
        if self.is_postgres { "PostgreSQL" } else { "SQLite" }
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        #[cfg(test)]
        self.size.end(&self.inner).await;
        self.inner.commit().await?;
        for work in self.after.into_inner().expect("no holder panics") {
            work();
        }
        Ok(())
    }

    /// Does `work` once the rows can be seen by others: whoever is woken before that finds nothing and sleeps on.
    pub fn on_commit(&self, work: impl FnOnce() + Send + 'static) {
        self.after.lock().expect("no holder panics").push(Box::new(work));
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::Unavailable(NO_CONNECTION.into()),
            error if is_full(&error) => Self::Full,
            error => Self::internal("database", error),
        }
    }
}

const NO_CONNECTION: &str = "the database has no time for this now; try again in a moment";

/// Whether an error is one of the database itself: it passes, or an operator sees to it.
pub fn failed(error: &Error) -> bool {
    match error {
        Error::Full => true,
        Error::Unavailable(text) => text == NO_CONNECTION,
        Error::Internal { source, .. } => source.is::<DbErr>(),
        _ => false,
    }
}

/// `SQLITE_FULL`, or PostgreSQL's `disk_full`.
fn is_full(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(|e| e.code().map(std::borrow::Cow::into_owned));
    matches!(code.as_deref(), Some("13" | "53100"))
}

/// Turns a broken constraint into its meaning.
pub trait OnConstraint<T> {
    /// `meaning` if the unique constraint that ends the index name `table_columns_key` was broken.
    fn on_unique(self, table_columns: &str, meaning: impl FnOnce() -> Error) -> Result<T>;
}

impl<T> OnConstraint<T> for std::result::Result<T, DbErr> {
    fn on_unique(self, table_columns: &str, meaning: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|error| {
            let broken = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(ref text)) if names(text, table_columns));
            if broken { meaning() } else { error.into() }
        })
    }
}

// PostgreSQL names the index (`tag_repository_id_name_key`), SQLite the columns (`tag.repository_id, tag.name`).
fn names(text: &str, table_columns: &str) -> bool {
    let flat: String = text.replace(", ", "_").replace('.', "_");
    let table = table_columns.split('_').next().unwrap_or_default();
    text.contains(table_columns) || flat.replace(&format!("_{table}_"), "_").contains(table_columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn a_full_database_is_told_as_such() {
        let app = TestApp::start().await;
        let tx = app.db.begin().await.unwrap();
        tx.connection().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let fill = "CREATE TABLE x AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9000) \
            SELECT i, 'some text that takes room' FROM n";
        let error = Error::from(tx.connection().execute_unprepared(fill).await.unwrap_err());
        assert!(matches!(error, Error::Full), "{error:?}");
    }

    #[test]
    fn a_database_without_a_free_connection_is_away_for_now() {
        let error = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        assert_eq!((error.status(), error.retry_after_secs().is_some(), failed(&error)), (503, true, true));
        assert!(!failed(&Error::Unavailable("the forge is away".into())));
    }
}
