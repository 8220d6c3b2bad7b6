//! `slipway migrate`, and what `serve` does before it serves: the database comes to this version's schema.
//!
//! An SQLite database is copied first. A migration that breaks off leaves the copy, and so does one that an operator
//! wants to take back together with the program.

use super::lock;
use crate::app::{App, make_private_dir};
use crate::clock::utc;
use crate::config::Config;
use crate::db::{self, backup};
use crate::error::{Context, Error, Result};
use std::path::{Path, PathBuf};

/// Below the data folder.
const COPIES: &str = "before-migration";
/// Older ones go.
const MOST_COPIES: usize = 3;

/// `slipway migrate`.
pub(super) async fn run(config: Config) -> Result<String> {
    let _lock = lock::take(&config)?;
    let app = App::open(config).await?;
    let done = bring_up(&app).await?;
    Ok(format!("{done} migrations were applied; the database is up to date"))
}

/// `slipway migrate --check`: what would be done.
pub(super) async fn check(config: Config) -> Result<String> {
    if config.sqlite_file().is_some_and(|file| !file.exists()) {
        return Ok("there is no database yet: the first start makes it".into());
    }
    let db = db::connect::open(&config.database_url, 1).await?;
    let found = db::connect::migrations(&db).await;
    backup::close(db).await?;
    let found = found?;
    if found.applied.is_empty() {
        return Ok("the database is empty: the first start fills it".into());
    }
    Ok(match found.pending.as_slice() {
        [] => "the database is up to date: no migration would be applied".into(),
        pending => format!("{} would be applied:\n  {}", count(pending), pending.join("\n  ")),
    })
}

/// Applies what is pending, and says so; answers how many those were.
pub(super) async fn bring_up(app: &App) -> Result<usize> {
    let found = db::connect::migrations(&app.db).await?;
    let pending = found.pending.len();
    if pending == 0 {
        return Ok(0);
    }
    // A new database is made by migrations too: nobody need hear of those, and there is nothing to copy.
    if let Some(last) = found.applied.last() {
        tracing::info!("the database gets {}: {}", count(&found.pending), found.pending.join(", "));
        if let Some(file) = app.config.sqlite_file() {
            copy(app, &file, last).await?;
        } else {
            tracing::info!("PostgreSQL keeps no copy: what can be taken back is your last backup");
        }
    }
    let started = app.clock.steady();
    db::connect::migrate(&app.db).await?;
    if !found.applied.is_empty() {
        let millis = app.clock.steady().saturating_duration_since(started).as_millis();
        tracing::info!("{} applied in {millis} ms", count(&found.pending));
    }
    Ok(pending)
}

fn count(migrations: &[String]) -> String {
    if migrations.len() == 1 { "1 migration".to_owned() } else { format!("{} migrations", migrations.len()) }
}

/// Copies the database under the name of the last migration that it has had.
async fn copy(app: &App, file: &Path, last: &str) -> Result<()> {
    let folder = app.config.data_dir.join(COPIES);
    make_private_dir(&folder)?;
    let size = std::fs::metadata(file).context("looking at the database")?.len();
    let free = app.storage.free_bytes()?.unwrap_or(u64::MAX);
    if free < size + (size >> 2) {
        return Err(Error::invalid(format!(
            "before the migration the database of {size} bytes is copied to {}, and {free} bytes are free: make room",
            folder.display()
        )));
    }
    let now = app.clock.now();
    // Times sort, and no colon bothers anybody's shell.
    let to = folder.join(format!("slipway-{now}-{last}.db"));
    let unfinished = folder.join("unfinished");
    remove_if_there(&unfinished)?;
    // Its mode before its bytes.
    crate::secrets::write_private(&unfinished, b"")?;
    backup::copy_sqlite(&app.db, &unfinished).await?;
    sync(&unfinished)?;
    std::fs::rename(&unfinished, &to).context("naming the copy of the database")?;
    sync(&folder)?;
    tracing::info!("a copy of the database as it was at {} is {}", utc(now), to.display());
    forget_old(&folder)
}

fn forget_old(folder: &Path) -> Result<()> {
    let mut copies: Vec<PathBuf> = std::fs::read_dir(folder)
        .context("reading the copies of the database")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    copies.sort();
    let surplus = copies.len().saturating_sub(MOST_COPIES);
    copies.iter().take(surplus).try_for_each(|old| std::fs::remove_file(old).context("removing an old copy"))
}

fn remove_if_there(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("removing an unfinished copy"),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<()> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).context("making the copy of the database last")
}
