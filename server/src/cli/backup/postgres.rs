//! The database part of a backup on PostgreSQL: its own tools, which know its versions.

use crate::config::Config;
use crate::db::Db;
use crate::db::backup::{self, Stored};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;
use tokio::process::Command;

/// Dumps the database, and tells what it names in storage.
pub(super) async fn dump(config: &Config, db: &Db, to: &Path) -> Result<BTreeSet<Stored>> {
    // Dump and list are of one moment, however many pushes run beside.
    let snapshot = backup::Snapshot::take(db).await?;
    // Before the long dump: the server may end a transaction that asks nothing for a while.
    let stored = snapshot.stored().await?.into_iter().collect();
    let (url, password) = backup::postgres_arguments(&config.database_url)?;
    let mut command = Command::new("pg_dump");
    command
        .args(["--format=custom", "--no-owner", "--no-privileges", "--snapshot", &snapshot.id])
        .arg("--file")
        .arg(to)
        .arg("--dbname")
        .arg(url);
    run(command, password, "pg_dump").await?;
    Ok(stored)
}

/// Fills an empty database.
pub(super) async fn load(config: &Config, from: &Path) -> Result<()> {
    let (url, password) = backup::postgres_arguments(&config.database_url)?;
    let mut command = Command::new("pg_restore");
    command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]);
    command.arg("--dbname").arg(url).arg(from);
    run(command, password, "pg_restore").await
}

async fn run(mut command: Command, password: Option<String>, name: &str) -> Result<()> {
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let output = command.output().await.map_err(|e| {
        Error::invalid(format!(
            "`{name}` cannot be started ({e}): install PostgreSQL's client programs, of its server's \
             version or newer (the package `postgresql-client` on Debian and Ubuntu), and see that they are in `PATH`"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
