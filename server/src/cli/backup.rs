//! `slipway backup` and `slipway restore`: database, keys and stored objects in one file.
//!
//! ```text
//! backup.json                 version, time, kind of database
//! keys/master.key             without it the secrets in the database are lost
//! database/slipway.db         or database/slipway.pgdump
//! storage/blobs/0a/0a3f…      everything that this copy of the database names
//! complete.json               last: how many objects and bytes; without it the file is cut off
//! ```
//! The database is copied first. Objects never change once a row names them, and a collector removes one only long
//! after the last row let go of it: so what the copy names is still there when it is read, with the server running.

mod archive;
mod postgres;
mod restore;
#[cfg(test)]
mod tests;

pub use restore::restore;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::backup::{self, Stored};
use crate::db::{self, Db};
use crate::error::{Context, Error, Result};
use crate::secrets;
use crate::storage::Storage;
use archive::Writer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
const DATABASE: &str = "database/slipway.db";
const DUMP: &str = "database/slipway.pgdump";

#[derive(Debug, Serialize, Deserialize)]
struct About {
    version: u32,
    slipway: String,
    made_at: i64,
    database: String,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Complete {
    objects: u64,
    bytes: u64,
}

/// Writes a backup into a new file that only we can read; the server may be running.
pub async fn backup(config: Config, file: &Path) -> Result<String> {
    if !config.data_dir.join("keys/master.key").is_file() {
        return Err(Error::invalid(format!(
            "there is nothing to save in {}: no server was started there yet",
            config.data_dir.display()
        )));
    }
    let db = db::connect::open(&config.database_url, 2).await?;
    let storage = Storage::file_system(&config.data_dir.join("storage"))?;
    room_for(&config, &db, file).await?;
    // Beside the backup, where there is room for it.
    let copy = Temporary(file.with_file_name(format!(".slipway-{}", hex::encode(secrets::random::<8>()))));
    secrets::write_private(&copy.0, b"")?;
    let is_postgres = db.kind() == "PostgreSQL";
    let stored = if is_postgres {
        postgres::dump(&config, &db, &copy.0).await?
    } else {
        backup::copy_sqlite(&db, &copy.0).await?;
        named_by(&copy.0).await?
    };
    let about = About {
        version: VERSION,
        slipway: env!("CARGO_PKG_VERSION").into(),
        made_at: Clock::default().now(),
        database: db.kind().into(),
    };
    let mut archive = Writer::create(file)?;
    archive.json("backup.json", &about)?;
    for key in std::fs::read_dir(config.data_dir.join("keys")).context("reading the keys")? {
        let key = key.context("reading the keys")?;
        archive.file(&format!("keys/{}", key.file_name().to_string_lossy()), &key.path())?;
    }
    archive.file(if is_postgres { DUMP } else { DATABASE }, &copy.0)?;
    let (complete, missing) = objects(&mut archive, &storage, &stored).await?;
    archive.json("complete.json", &complete)?;
    archive.finish()?;
    if let Some(first) = missing.first() {
        return Err(Error::invalid(format!(
            "the backup {} was written, but {} objects that the database names are missing in storage, the first is `{first}`",
            file.display(),
            missing.len()
        )));
    }
    Ok(format!("{}: database, keys and {} objects, {} bytes", file.display(), complete.objects, complete.bytes))
}

/// Refuses a backup onto the disk of the data folder that would leave the server there without room. On another disk it
/// fails by itself, and harms nobody.
async fn room_for(config: &Config, db: &Db, file: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let doing = "asking for free space";
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).context(doing);
    if device(folder)? != device(&config.data_dir)? {
        return Ok(());
    }
    let objects: u64 = backup::stored(db).await?.iter().map(|object| object.size).sum();
    let database = config.database_url.strip_prefix("sqlite:").and_then(|path| std::fs::metadata(path).ok());
    // Its copy, and the copy's place in the file.
    let needed = objects + 2 * database.map_or(0, |file| file.len());
    let stat = rustix::fs::statvfs(folder).context(doing)?;
    let free = stat.f_bavail * stat.f_frsize;
    if free.saturating_sub(needed) >= config.min_free_bytes {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the backup needs {needed} bytes, {free} are free in {}, and the server there needs `storage.min_free_bytes` of \
         them: write it to another disk",
        folder.display()
    )))
}

/// Copies what is named; returns what could not be found.
async fn objects(
    archive: &mut Writer,
    storage: &Storage,
    stored: &BTreeSet<Stored>,
) -> Result<(Complete, Vec<String>)> {
    let (mut complete, mut missing) = (Complete::default(), Vec::new());
    for object in stored {
        match storage.read(&object.key, 0, object.size).await? {
            Some(bytes) => {
                archive.stream(&format!("storage/{}", object.key), object.size, bytes).await?;
                complete.objects += 1;
                complete.bytes += object.size;
            }
            None => missing.push(object.key.to_string()),
        }
    }
    Ok((complete, missing))
}

/// What an SQLite file names in storage; the file is left as one file.
async fn named_by(file: &Path) -> Result<BTreeSet<Stored>> {
    let db: Db = db::connect::open(&format!("sqlite:{}", file.display()), 1).await?;
    let stored = backup::stored(&db).await;
    backup::close(db).await?;
    Ok(stored?.into_iter().collect())
}

/// A file that goes when we are done with it.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            std::fs::remove_file(path).ok();
        }
    }
}
