//! What questions cost, as tests see it on SQLite: how many there are, how the database finds the answers, and how many rows
//! one transaction changes.

mod tests;

use super::Db;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, Statement};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What one app has asked so far.
#[derive(Clone, Default)]
pub(super) struct Costs {
    /// Statements outside of transactions.
    statements: Arc<AtomicU64>,
    /// All statements, without their values.
    asked: Arc<Mutex<BTreeSet<String>>>,
    /// Rows that the largest transaction changed.
    largest: Arc<AtomicU64>,
}

pub(super) fn watch(
    mut read: DatabaseConnection,
    mut write: DatabaseConnection,
) -> (DatabaseConnection, DatabaseConnection, Costs) {
    let costs = Costs::default();
    let (reads, writes) = (costs.clone(), costs.clone());
    read.set_metric_callback(move |info| {
        reads.statements.fetch_add(1, Ordering::Relaxed);
        reads.note(&info.statement.sql);
    });
    write.set_metric_callback(move |info| writes.note(&info.statement.sql));
    (read, write, costs)
}

impl Costs {
    /// Lists of values of each length are one question.
    fn note(&self, sql: &str) {
        if !sql.contains("FROM") && !sql.starts_with("UPDATE") {
            return;
        }
        let mut sql = sql.to_owned();
        while sql.contains("?, ?") {
            sql = sql.replace("?, ?", "?");
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(sql);
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The steps of a statement; none when one of its tables is not there any more.
async fn plan(database: &DatabaseConnection, sql: &str) -> Vec<String> {
    let explain = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = database.query_all_raw(explain).await.unwrap_or_default();
    rows.iter().filter_map(|row| row.try_get("", "detail").ok()).collect()
}

impl Db {
    /// Statements so far, outside of transactions.
    pub(crate) fn statements(&self) -> u64 {
        self.costs.statements.load(Ordering::Relaxed)
    }

    /// Rows that the largest transaction changed since the last look.
    pub(crate) fn largest_change(&self) -> u64 {
        self.costs.largest.swap(0, Ordering::Relaxed)
    }

    /// The plan of each statement that was asked since the last look.
    async fn new_plans(&self) -> Vec<String> {
        let mut plans = Vec::new();
        for sql in self.costs.take() {
            plans.extend(plan(&self.read, &sql).await);
        }
        // Those of this look.
        self.costs.take();
        plans
    }
}

/// Rows that a connection had changed when its transaction began; `None` on PostgreSQL.
pub(super) struct Size {
    before: Option<u64>,
    largest: Arc<AtomicU64>,
}

impl Size {
    pub(super) async fn begin(tx: &DatabaseTransaction, db: &Db) -> Self {
        let before = if db.is_postgres { None } else { total_changes(tx).await };
        Self { before, largest: db.costs.largest.clone() }
    }

    pub(super) async fn end(&self, tx: &DatabaseTransaction) {
        if let Some(before) = self.before {
            let changed = total_changes(tx).await.unwrap_or_default().saturating_sub(before);
            self.largest.fetch_max(changed, Ordering::Relaxed);
        }
    }
}

async fn total_changes(tx: &DatabaseTransaction) -> Option<u64> {
    let ask = Statement::from_string(DbBackend::Sqlite, "SELECT total_changes() AS n");
    let row = tx.query_one_raw(ask).await.ok()??;
    row.try_get::<i64>("", "n").ok().and_then(|n| u64::try_from(n).ok())
}
