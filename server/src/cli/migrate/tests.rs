//! Upgrades that end, and some that do not; `tests/suite/operations/upgrade.rs` has the version before.

mod servers;

use super::*;
use crate::db::connect::{execute, go_before, migrations};
use crate::testing::TestApp;
use std::fs;
use std::path::{Path, PathBuf};

/// In the middle of those that an upgrade applies.
const MIDDLE: &str = "create_allowed_base";

/// A database of a version before.
async fn older() -> TestApp {
    let app = TestApp::start().await;
    go_before(&app.db, "add_job_lane").await;
    app
}

fn copies(app: &App) -> Vec<PathBuf> {
    let entries = fs::read_dir(app.config.data_dir.join("before-migration")).map(Iterator::collect::<Vec<_>>);
    let paths = entries.unwrap_or_default().into_iter().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "db")).collect();
    found.sort();
    found
}

/// How many migrations a copy has had.
async fn applied(copy: &Path) -> usize {
    let db = db::connect::open_to_read(&format!("sqlite:{}", copy.display())).await.unwrap();
    migrations(&db).await.unwrap().applied.len()
}

/// A start, a second after the one before.
async fn start(app: &App) -> Result<usize> {
    app.clock.advance(1_000);
    bring_up(app).await
}

#[tokio::test]
async fn the_copy_from_before_an_upgrade_outlives_starts_that_break_off() {
    let app = older().await;
    let had = migrations(&app.db).await.unwrap().applied.len();
    execute(&app.db, "CREATE TABLE allowed_base (x int)").await;
    for _ in 0..5 {
        start(&app).await.unwrap_err();
        let [copy] = copies(&app).try_into().unwrap();
        assert_eq!(applied(&copy).await, had);
    }
    assert!(migrations(&app.db).await.unwrap().applied.len() > had, "it breaks off in the middle");
    // The mistake is found, and the upgrade ends.
    execute(&app.db, "DROP TABLE allowed_base").await;
    start(&app).await.unwrap();
    assert_eq!(copies(&app).len(), 1);
    // The next upgrade is another one.
    go_before(&app.db, MIDDLE).await;
    start(&app).await.unwrap();
    assert_eq!(copies(&app).len(), 2);
}

#[tokio::test]
async fn who_goes_back_to_the_copy_gets_another_with_the_next_try() {
    let app = older().await;
    execute(&app.db, "CREATE TABLE allowed_base (x int)").await;
    start(&app).await.unwrap_err();
    // As the copy has it; the version before writes on.
    go_before(&app.db, "add_job_lane").await;
    execute(&app.db, "INSERT INTO allowed_base (x) VALUES (1)").await;
    for _ in 0..2 {
        start(&app).await.unwrap_err();
        assert_eq!(copies(&app).len(), 2);
    }
    let newest = copies(&app).remove(1);
    let db = db::connect::open_to_read(&format!("sqlite:{}", newest.display())).await.unwrap();
    let row = db::connect::number(&db, "SELECT x FROM allowed_base").await;
    assert_eq!(row, Some(1));
}

#[tokio::test]
async fn the_newest_copies_stay_and_so_does_the_last_one_after_a_clock_went_back() {
    let app = older().await;
    for _ in 0..4 {
        start(&app).await.unwrap();
        go_before(&app.db, MIDDLE).await;
    }
    let three = copies(&app);
    assert_eq!(three.len(), 3);
    app.clock.set(app.clock.now() - 1_000_000);
    bring_up(&app).await.unwrap();
    let now = copies(&app);
    assert_eq!(now[1..], three[1..], "the oldest of the others went");
    assert!(now[0] < three[0], "{now:?}");
}

#[tokio::test]
async fn a_copy_asks_for_the_room_of_what_is_in_the_write_ahead_log_too() {
    let app = older().await;
    let file = app.config.sqlite_file().unwrap();
    let log = fs::metadata(format!("{}-wal", file.display())).unwrap().len();
    assert!(log > 100_000, "nothing was moved into the database yet: {log}");
    assert_eq!(copies::size(&file).unwrap(), fs::metadata(&file).unwrap().len() + log);
}

/// Every file of a folder, with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_check_changes_no_file_whatever_the_database_is() {
    let app = older().await;
    let copy = |to: &Path| {
        let to = to.to_owned();
        let db = app.db.clone();
        async move { backup::copy_sqlite(&db, &to).await.unwrap() }
    };
    let mut config = app.config.clone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slipway.db");
    config.database_url = format!("sqlite:{}", file.display());
    // A copy as operators put it back: in no write-ahead mode.
    copy(&file).await;
    let before = files(folder.path());
    assert!(check(config.clone()).await.unwrap().contains("would be applied"));
    assert_eq!(files(folder.path()), before);
    // An empty file.
    fs::write(&file, "").unwrap();
    let before = files(folder.path());
    assert!(check(config.clone()).await.unwrap().contains("is empty"));
    assert_eq!(files(folder.path()), before);
    // What another program made.
    let foreign = db::connect::open(&config.database_url, 1).await.unwrap();
    execute(&foreign, "CREATE TABLE x (y int)").await;
    backup::close(foreign).await.unwrap();
    let before = files(folder.path());
    let refused = check(config.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("of another program"), "{refused}");
    assert_eq!(files(folder.path()), before);
    // What a killed server left, with all of it in the log.
    fs::remove_file(&file).unwrap();
    let live = app.config.sqlite_file().unwrap();
    for end in ["", "-wal"] {
        fs::copy(format!("{}{end}", live.display()), format!("{}{end}", file.display())).unwrap();
    }
    let before = files(folder.path());
    assert!(check(config).await.unwrap().contains("would be applied"));
    let after = files(folder.path());
    assert_eq!(after.iter().filter(|f| !f.0.ends_with("slipway.db-shm")).cloned().collect::<Vec<_>>(), before);
}
