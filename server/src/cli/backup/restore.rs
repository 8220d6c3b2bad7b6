//! Reading a backup into an empty data folder, with every object checked on the way in.

use super::{About, Complete, DATABASE, DUMP, VERSION, postgres};
use crate::app::make_private_dir;
use crate::cli::lock;
use crate::config::Config;
use crate::db::backup::{self, Stored};
use crate::db::connect::Turn;
use crate::db::{self, Db};
use crate::error::{Context, Error, Result};
use crate::names::{Digest, Hasher};
use crate::secrets::write_private;
use crate::storage::Storage;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

type Entry<'a> = tar::Entry<'a, BufReader<File>>;

/// Fills the data folder from a backup; on failure it is left empty again.
pub async fn restore(config: Config, file: &Path) -> Result<String> {
    refuse_filled(&config).await?;
    let lock = lock::take(&config)?;
    let result = Box::pin(fill(&config, file)).await;
    drop(lock);
    if result.is_err() {
        // Only what we made ourselves: the folder was empty.
        for made in std::fs::read_dir(&config.data_dir).into_iter().flatten().flatten() {
            let path = made.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).ok()
            } else {
                std::fs::remove_file(path).ok()
            };
        }
        if let Err(error) = empty_database(&config).await {
            tracing::error!("the database was not emptied again: {}", error.for_log());
        }
    }
    let complete = result?;
    Ok(format!(
        "{}: {} objects, {} bytes were restored and checked; `slipway serve` starts on them",
        config.data_dir.display(),
        complete.objects,
        complete.bytes
    ))
}

async fn refuse_filled(config: &Config) -> Result<()> {
    let filled = std::fs::read_dir(&config.data_dir).is_ok_and(|mut entries| entries.next().is_some());
    let database = config.sqlite_file().filter(|file| file.exists());
    if filled || database.is_some() {
        return Err(Error::invalid(format!(
            "{} is not empty: a backup is restored into an empty data folder; set `data_dir` to a new one, or move the old one away",
            database.unwrap_or_else(|| config.data_dir.clone()).display()
        )));
    }
    if config.sqlite_file().is_none() {
        let db = db::connect::open(&config.database_url, 1).await?;
        let filled = backup::has_tables(&db).await?;
        backup::close(db).await?;
        if filled {
            return Err(Error::invalid(
                "the database of `database.url` is not empty: a backup is restored into an empty one; make a new one \
                 with `createdb`",
            ));
        }
    }
    Ok(())
}

/// On SQLite the file went with the folder.
async fn empty_database(config: &Config) -> Result<()> {
    if config.sqlite_file().is_some() {
        return Ok(());
    }
    let db = db::connect::open(&config.database_url, 1).await?;
    if backup::has_tables(&db).await? {
        backup::empty(&db).await?;
    }
    backup::close(db).await
}

async fn fill(config: &Config, file: &Path) -> Result<Complete> {
    let doing = format!("reading {}", file.display());
    let opened = File::open(file).context(&doing)?;
    let mut archive = tar::Archive::new(BufReader::new(opened));
    make_private_dir(&config.data_dir.join("storage"))?;
    let storage = Storage::file_system(&config.data_dir.join("storage"))?;
    let (mut db, mut named) = (None, BTreeMap::new());
    let (mut done, mut promised) = (Complete::default(), None);
    for entry in archive.entries().context(&doing)? {
        let mut entry = entry.context(&doing)?;
        let name = entry.path().context(&doing)?.to_string_lossy().into_owned();
        match name.split_once('/') {
            None if name == "backup.json" => check_about(config, &small(&mut entry)?)?,
            None if name == "complete.json" => {
                promised = Some(serde_json::from_slice::<Complete>(&small(&mut entry)?).context(&doing)?);
            }
            Some(("keys", key)) if is_plain(key) => {
                make_private_dir(&config.data_dir.join("keys"))?;
                write_private(&config.data_dir.join("keys").join(key), &small(&mut entry)?)?;
            }
            Some(("database", _)) if db.is_none() => {
                let opened = restore_database(config, &name, &mut entry).await?;
                named = backup::stored(&opened).await?.into_iter().map(|s| (s.key.to_string(), s)).collect();
                db = Some(opened);
            }
            Some(("storage", key)) => {
                let object: Stored = named.remove(key).ok_or_else(|| damaged(&format!("nothing names `{key}`")))?;
                restore_object(&storage, &object, &mut entry).await?;
                done.objects += 1;
                done.bytes += object.size;
            }
            _ => return Err(damaged(&format!("`{name}` does not belong there"))),
        }
    }
    let db = db.ok_or_else(|| damaged("it holds no database"))?;
    backup::forget_uploads(&db).await?;
    backup::close(db).await?;
    if promised.as_ref() != Some(&done) {
        return Err(damaged("its end is missing"));
    }
    if let Some(key) = named.keys().next() {
        tracing::warn!("{} objects were missing when the backup was made, the first is `{key}`", named.len());
    }
    Ok(done)
}

fn damaged(why: &str) -> Error {
    Error::invalid(format!("the file is no whole backup of slipway: {why}"))
}

fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Keys and notes are small; nothing here needs more than 1 MiB.
fn small(entry: &mut Entry) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(1 << 20).read_to_end(&mut bytes).context("reading the backup")?;
    Ok(bytes)
}

fn check_about(config: &Config, bytes: &[u8]) -> Result<()> {
    let about: About = serde_json::from_slice(bytes).map_err(|_reason| damaged("its first entry cannot be read"))?;
    if about.version != VERSION {
        return Err(Error::invalid(format!(
            "the backup was made by slipway {}; restore it with that version",
            about.slipway
        )));
    }
    let here = if config.database_url.starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" };
    if about.database != here {
        return Err(Error::invalid(format!(
            "the backup holds a {} database, but `database.url` is {here}: set it to a {} database first",
            about.database, about.database
        )));
    }
    Ok(())
}

/// Puts the database in its place, and brings it to this version's schema.
async fn restore_database(config: &Config, name: &str, entry: &mut Entry<'_>) -> Result<Db> {
    let place = match (name, config.sqlite_file()) {
        (DATABASE, Some(file)) => file,
        (DUMP, None) => config.data_dir.join("restoring.pgdump"),
        _ => return Err(damaged("its database is of another kind")),
    };
    write_private(&place, b"")?;
    let mut file = std::fs::OpenOptions::new().write(true).open(&place).context("opening the database's file")?;
    std::io::copy(entry, &mut file).context("writing the database")?;
    file.sync_all().context("writing the database")?;
    if name == DUMP {
        let loaded = postgres::load(config, &place).await;
        std::fs::remove_file(&place).ok();
        loaded?;
    }
    let db = db::connect::open(&config.database_url, 2).await?;
    let turn = Turn::take(&config.database_url).await?;
    let done = db::connect::migrate(&db).await;
    turn.end().await;
    done.map(|()| db)
}

async fn restore_object(storage: &Storage, object: &Stored, entry: &mut Entry<'_>) -> Result<()> {
    if !object.key.as_str().split('/').all(is_plain) {
        return Err(damaged(&format!("`{}` is no key of storage", object.key)));
    }
    let algorithm = object.digest.as_deref().map(|digest| Digest::trusted(digest).algorithm()).unwrap_or_default();
    let mut writer = storage.write(&object.key, 0, Hasher::new(algorithm));
    let mut buffer = vec![0; 1 << 20];
    loop {
        match entry.read(&mut buffer).context("reading the backup")? {
            0 => break,
            n => writer.write(Bytes::copy_from_slice(&buffer[..n])).await?,
        }
    }
    let (hash, size) = writer.finish().await?;
    let digest = hash.digest(algorithm);
    let is_other = |expected: &String| digest.as_ref().is_none_or(|digest| digest.as_str() != expected);
    if size != object.size || object.digest.as_ref().is_some_and(is_other) {
        return Err(damaged(&format!("the bytes of `{}` are not what the database says", object.key)));
    }
    Ok(())
}
