//! A backup is restored whole or not at all.

use super::{backup, restore};
use crate::config::Config;
use crate::db::{self, ObjectKey};
use crate::registry::blobs;
use crate::testing::TestApp;
use bytes::Bytes;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

async fn add_blob(app: &TestApp, bytes: impl Into<Bytes>) -> ObjectKey {
    let own = blobs::store_own(app, bytes.into()).await.unwrap();
    let tx = app.db.begin().await.unwrap();
    db::blobs::upsert(&tx, &own.digest, own.size_bytes, &own.storage_key, 1).await.unwrap();
    tx.commit().await.unwrap();
    own.storage_key
}

fn elsewhere(app: &TestApp, data_dir: &Path) -> Config {
    let database_url = format!("sqlite:{}", data_dir.join("slipway.db").display());
    Config { data_dir: data_dir.to_owned(), database_url, ..app.config.clone() }
}

#[tokio::test]
async fn what_was_saved_beside_a_running_server_comes_back() {
    let app = TestApp::start().await;
    let key = add_blob(&app, vec![7; 1_500_000]).await;
    let empty = add_blob(&app, Bytes::new()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("slipway.tar");
    backup(app.config.clone(), &file).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(backup(app.config.clone(), &file).await.is_err(), "a backup is not written over");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the backup");

    let there = elsewhere(&app, &dir.path().join("there"));
    restore(there.clone(), &file).await.unwrap();
    let restored = crate::app::App::open(there.clone()).await.unwrap();
    assert_eq!(restored.storage.get(&key).await.unwrap(), vec![7; 1_500_000]);
    assert_eq!(restored.storage.get(&empty).await.unwrap().len(), 0);
    assert_eq!(restored.bearer_key, app.bearer_key, "the master key came along");
    assert_eq!(db::backup::stored(&restored.db).await.unwrap().len(), 2);
    assert!(restore(there, &file).await.unwrap_err().for_log().contains("is not empty"));
}

#[tokio::test]
async fn a_cut_or_changed_backup_leaves_the_folder_empty() {
    let app = TestApp::start().await;
    add_blob(&app, vec![1; 100_000]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("slipway.tar");
    backup(app.config.clone(), &file).await.unwrap();
    let good = std::fs::read(&file).unwrap();
    let object = good.windows(1_000).rposition(|w| w.iter().all(|b| *b == 1)).unwrap();
    let mut changed = good.clone();
    changed[object] ^= 1;
    for (bad, why) in [
        (&changed[..], "are not what the database says"),
        (&good[..object], "are not what the database says"),
        // At the border of an entry, where tar sees nothing wrong.
        (&good[..good.len() - 1_024 - 1_024], "its end is missing"),
        (b"no tar file", "reading"),
        (b"", "it holds no database"),
    ] {
        std::fs::write(&file, bad).unwrap();
        let there = elsewhere(&app, &dir.path().join("there"));
        let error = restore(there.clone(), &file).await.unwrap_err().for_log();
        assert!(error.contains(why), "{error} lacks {why}");
        assert_eq!(std::fs::read_dir(&there.data_dir).unwrap().count(), 0, "{why}");
    }
}

#[tokio::test]
async fn an_object_that_is_missing_is_told() {
    let app = TestApp::start().await;
    let key = add_blob(&app, &b"gone"[..]).await;
    add_blob(&app, &b"here"[..]).await;
    app.storage.lose(&key).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("slipway.tar");
    let error = backup(app.config.clone(), &file).await.unwrap_err().for_log();
    assert!(error.contains("1 objects") && error.contains(key.as_str()), "{error}");
    restore(elsewhere(&app, &dir.path().join("there")), &file).await.unwrap();
}

#[tokio::test]
async fn a_backup_leaves_the_server_its_room() {
    let app = TestApp::start().await;
    add_blob(&app, &b"some bytes"[..]).await;
    let file = app.config.data_dir.join("slipway.tar");
    let strict = Config { min_free_bytes: u64::MAX, ..app.config.clone() };
    let error = backup(strict, &file).await.unwrap_err().to_string();
    assert!(error.contains("another disk"), "{error}");
    assert!(!file.exists());
    backup(app.config.clone(), &file).await.unwrap();
}
