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
    // Named before or after: together they hold all that the dump's own moment named.
    let mut stored: BTreeSet<Stored> = backup::stored(db).await?.into_iter().collect();
    let (url, password) = backup::postgres_arguments(&config.database_url)?;
    let mut command = Command::new("pg_dump");
    command.args(["--format=custom", "--no-owner", "--no-privileges"]).arg("--file").arg(to).arg("--dbname").arg(url);
    run(command, password, "pg_dump").await?;
    stored.extend(backup::stored(db).await?);
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
            "`{name}` cannot be started ({e}): install the PostgreSQL client programs of the server's version, or newer"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
