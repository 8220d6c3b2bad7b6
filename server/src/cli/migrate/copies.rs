//! Copies of an SQLite database, each as it was before an upgrade.
//!
//! Until an upgrade has ended, `upgrade-under-way` names the one that was made when it began. A start that goes
//! on with it makes no other: that would be a copy of half an upgrade, and the fourth would have the first removed.

use crate::app::{App, make_private_dir};
use crate::clock::utc;
use crate::db::backup;
use crate::error::{Context, Error, Result};
use crate::secrets::write_private;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Below the data folder.
const FOLDER: &str = "before-migration";
/// Older ones go.
const MOST: usize = 3;
/// Beside that folder, which holds copies and nothing else.
const UNDER_WAY: &str = "upgrade-under-way";

/// Copies the database before an upgrade, unless that has begun already. `applied` is what the database has had.
pub(super) async fn make(app: &App, file: &Path, applied: &[String]) -> Result<()> {
    let folder = app.config.data_dir.join(FOLDER);
    if let Some(copy) = of_an_upgrade_under_way(app, &folder, applied) {
        tracing::warn!("an upgrade did not end, and goes on; the database as it was before is {}", copy.display());
        return Ok(());
    }
    make_private_dir(&folder)?;
    let (size, free) = (size(file)?, app.storage.free_bytes()?.unwrap_or(u64::MAX));
    if free < size + (size >> 2) {
        return Err(Error::invalid(format!(
            "before the migration the database of {size} bytes is copied to {}, and {free} bytes are free: make room",
            folder.display()
        )));
    }
    let now = app.clock.now();
    // Times sort, and no colon bothers anybody's shell.
    let name = format!("slipway-{now}-{}.db", applied.last().map_or("", String::as_str));
    let (to, unfinished) = (folder.join(&name), folder.join("unfinished"));
    remove_if_there(&unfinished)?;
    // Its mode before its bytes.
    write_private(&unfinished, b"")?;
    backup::copy_sqlite(&app.db, &unfinished).await?;
    sync(&unfinished)?;
    std::fs::rename(&unfinished, &to).context("naming the copy of the database")?;
    write_private(&app.config.data_dir.join(UNDER_WAY), name.as_bytes())?;
    tracing::info!("a copy of the database as it was at {} is {}", utc(now), to.display());
    forget_old(&folder, &to)
}

/// Nothing is under way any more.
pub(super) fn ended(app: &App) -> Result<()> {
    remove_if_there(&app.config.data_dir.join(UNDER_WAY))
}

/// The copy from before an upgrade of which this database has had a part. Where somebody put the copy back, or another
/// database, an upgrade begins anew.
fn of_an_upgrade_under_way(app: &App, folder: &Path, applied: &[String]) -> Option<PathBuf> {
    let name = std::fs::read_to_string(app.config.data_dir.join(UNDER_WAY)).ok()?;
    let last = name.strip_suffix(".db")?.splitn(3, '-').nth(2)?;
    let copy = folder.join(&name);
    let has_begun = applied.last()? != last && applied.iter().any(|had| had == last);
    (has_begun && copy.is_file()).then_some(copy)
}

/// What a copy may take: a server that was killed leaves much of the database in the write-ahead log.
pub(super) fn size(file: &Path) -> Result<u64> {
    let mut log = OsString::from(file);
    log.push("-wal");
    let size = std::fs::metadata(file).context("looking at the database")?.len();
    Ok(size + std::fs::metadata(log).map_or(0, |found| found.len()))
}

/// The new one stays, whatever the clock said when the others were made.
fn forget_old(folder: &Path, new: &Path) -> Result<()> {
    let mut others: Vec<PathBuf> = std::fs::read_dir(folder)
        .context("reading the copies of the database")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "db") && path != new)
        .collect();
    others.sort();
    let surplus = (others.len() + 1).saturating_sub(MOST);
    others.iter().take(surplus).try_for_each(|old| std::fs::remove_file(old).context("removing an old copy"))
}

fn remove_if_there(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("tidying the copies"),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<()> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).context("making the copy of the database last")
}
