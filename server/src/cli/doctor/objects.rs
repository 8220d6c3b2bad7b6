//! Objects both ways: what the database names and storage lacks, and what lies in storage and no row knows.

use super::Finding;
use crate::config::Config;
use crate::db::{self, Db};
use crate::error::Result;
use crate::storage::Storage;
use std::collections::{BTreeMap, BTreeSet};

const WHAT: &str = "objects";

/// Nothing where there is no database yet, or none of this version: another line says so.
pub(super) async fn look(config: &Config) -> Option<Finding> {
    let root = config.data_dir.join("storage");
    // Opening it would make it.
    if !root.join("blobs").is_dir() || !root.join("logs").is_dir() {
        return None;
    }
    let db = super::stored::open(config).await?;
    let found = match Storage::file_system(&root) {
        Ok(storage) => compare(&db, &storage).await,
        Err(error) => Err(error),
    };
    db::backup::close(db).await.ok();
    Some(found.unwrap_or_else(|error| {
        Finding::fail(WHAT, error.for_log(), "check that the data folder and the database can be read")
    }))
}

#[derive(Default)]
struct Compared {
    objects: usize,
    lacking: Vec<String>,
    unknown: Vec<String>,
}

async fn compare(db: &Db, storage: &Storage) -> Result<Finding> {
    let mut compared = Compared::default();
    // A folder that is gone may still be named.
    let mut folders: BTreeSet<String> = storage.folders().await?.into_iter().collect();
    for kind in ["blobs", "logs"] {
        folders.extend((0..=255u8).map(|first| format!("{kind}/{first:02x}")));
    }
    for folder in folders {
        folder_of(db, storage, &folder, &mut compared).await?;
    }
    Ok(finding(&compared))
}

async fn folder_of(db: &Db, storage: &Storage, folder: &str, compared: &mut Compared) -> Result<()> {
    // Files before rows: a row is there before its file, and is gone after it.
    let files = listed(storage, folder).await?;
    let rows = rows(db, folder).await?;
    compared.objects += rows.len();
    let unknown: Vec<&String> = files.iter().filter(|file| !rows.contains_key(*file)).collect();
    let lacking: Vec<&String> =
        rows.iter().filter(|(key, has)| **has && !files.contains(*key)).map(|(k, _)| k).collect();
    if unknown.is_empty() && lacking.is_empty() {
        return Ok(());
    }
    // Beside a running server either side may just have changed: what is wrong is so at the second look too.
    let rows_again = self::rows(db, folder).await?;
    let files_again = listed(storage, folder).await?;
    let still = |key: &&&String| files_again.contains(**key) && !rows_again.contains_key(**key);
    compared.unknown.extend(unknown.iter().filter(still).map(|key| (*key).clone()));
    let still = |key: &&&String| !files_again.contains(**key) && rows_again.get(**key) == Some(&true);
    compared.lacking.extend(lacking.iter().filter(still).map(|key| (*key).clone()));
    Ok(())
}

async fn listed(storage: &Storage, folder: &str) -> Result<BTreeSet<String>> {
    Ok(storage.names_in(folder).await?.into_iter().map(|name| format!("{folder}/{name}")).collect())
}

/// Keys, and whether bytes must be there.
async fn rows(db: &Db, folder: &str) -> Result<BTreeMap<String, bool>> {
    let rows = db::objects::in_folder(db, folder).await?;
    Ok(rows.into_iter().map(|(key, has_bytes)| (key.to_string(), has_bytes)).collect())
}

fn finding(compared: &Compared) -> Finding {
    let Compared { objects, lacking, unknown } = compared;
    if let Some(first) = lacking.first() {
        return Finding::fail(
            WHAT,
            format!(
                "{} of {objects} are named by the database and not in storage, the first is `{first}`",
                lacking.len()
            ),
            "put `storage` back from a backup; pushing the same layers again mends blobs too",
        );
    }
    if let Some(first) = unknown.first() {
        return Finding::warn(
            WHAT,
            format!("{} files in storage are known to no row, the first is `{first}`", unknown.len()),
            "they are left from an older version or another database: nothing uses them, and they can be removed",
        );
    }
    Finding::ok(WHAT, format!("{objects} in the database, each where it should be"))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::registry::blobs;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn rows_and_files_are_compared_both_ways() {
        let app = TestApp::start().await;
        let said = async || look(&app.config).await.unwrap();
        let own = blobs::store_own(&app, "bytes".into()).await.unwrap();
        let tx = app.db.begin().await.unwrap();
        db::blobs::upsert(&tx, &own.digest, own.size_bytes, &own.storage_key, 1).await.unwrap();
        tx.commit().await.unwrap();
        let good = said().await;
        assert_eq!((good.level, good.text.as_str()), (Level::Ok, "1 in the database, each where it should be"));

        let stray = app.config.data_dir.join("storage/logs/ab/ab12");
        std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
        std::fs::write(&stray, "left").unwrap();
        let unknown = said().await;
        assert_eq!(unknown.level, Level::Warn);
        assert!(unknown.text.contains("1 files") && unknown.text.contains("`logs/ab/ab12`"), "{unknown:?}");

        app.storage.lose(&own.storage_key).await;
        let lacking = said().await;
        assert_eq!(lacking.level, Level::Fail);
        assert!(lacking.text.contains(own.storage_key.as_str()), "{lacking:?}");
    }
}
