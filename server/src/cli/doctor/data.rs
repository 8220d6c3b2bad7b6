//! Data folder, keys, database and storage.

use super::Finding;
use crate::app::master_key_file;
use crate::cli::lock;
use crate::config::Config;
use crate::db;
use crate::error::Error;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![folder(config), key(&master_key_file(config))];
    findings.push(Box::pin(database(config)).await);
    findings.push(space(config));
    findings
}

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|m| m.permissions().mode() & 0o777)
}

fn folder(config: &Config) -> Finding {
    let (what, dir) = ("data folder", config.data_dir.display());
    let state = if lock::is_held(config) { "a server runs on it" } else { "no server runs on it" };
    match mode(&config.data_dir) {
        None => Finding::warn(what, format!("{dir} does not exist"), "`slipway serve` makes it at the first start"),
        // Passing through is fine, and lets the builder's git work without rights.
        Some(mode) if mode & 0o066 != 0 => {
            Finding::warn(what, format!("{dir} is open to others ({mode:o}); {state}"), format!("chmod 711 {dir}"))
        }
        Some(_) => Finding::ok(what, format!("{dir}, {state}")),
    }
}

fn key(file: &Path) -> Finding {
    let (what, path) = ("master key", file.display());
    let length = std::fs::metadata(file).map(|m| m.len());
    match (mode(file), length) {
        (Some(0o600), Ok(32)) => Finding::ok(what, format!("{path}, only its owner reads it")),
        (Some(_), Ok(length)) if length != 32 => Finding::fail(
            what,
            format!("{path} has {length} bytes in place of 32"),
            "restore it from a backup: without it the stored secrets cannot be read",
        ),
        (Some(mode), _) => {
            Finding::fail(what, format!("{path} can be read by others ({mode:o})"), format!("chmod 600 {path}"))
        }
        (None, _) => {
            Finding::warn(what, format!("{path} does not exist"), "`slipway serve` makes it at the first start")
        }
    }
}

/// An SQLite database before the first start: opening it would make it.
pub(super) fn is_missing(config: &Config) -> bool {
    config.database_url.strip_prefix("sqlite:").is_some_and(|file| !Path::new(file).exists())
}

async fn database(config: &Config) -> Finding {
    const WHAT: &str = "database";
    if is_missing(config) {
        let text = format!("{} does not exist", config.database_url.trim_start_matches("sqlite:"));
        return Finding::warn(WHAT, text, "`slipway serve` makes it at the first start");
    }
    if let Some(file) = config.database_url.strip_prefix("sqlite:")
        && mode(Path::new(file)).is_some_and(|mode| mode & 0o077 != 0)
    {
        return Finding::warn(WHAT, format!("{file} is open to others"), format!("chmod 600 {file}*"));
    }
    let pending = async {
        let db = db::connect::open_to_read(&config.database_url).await?;
        db.ping().await?;
        let pending = db::connect::migrations(&db).await?.pending.len();
        let kind = db.kind();
        db::backup::close(db).await?;
        Ok::<_, Error>((kind, pending))
    };
    match pending.await {
        Ok((kind, 0)) => Finding::ok(WHAT, format!("{kind} answers, its schema is up to date")),
        Ok((kind, n)) => Finding::warn(
            WHAT,
            format!("{kind} answers, {n} migrations are not applied"),
            "`slipway migrate`, or start the server",
        ),
        Err(error) => Finding::fail(
            WHAT,
            error.for_log(),
            "check `database.url`, that the database runs, and that its user may use it",
        ),
    }
}

fn space(config: &Config) -> Finding {
    const WHAT: &str = "storage";
    let existing = config.data_dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let Ok(stat) = rustix::fs::statvfs(existing) else {
        return Finding::fail(WHAT, "the free space is not known", "check that `data_dir` is on a file system");
    };
    let free = stat.f_bavail * stat.f_frsize;
    let text = format!("{} GB free below {}", free / 1_000_000_000, existing.display());
    if free < config.min_free_bytes {
        let remedy = "make room, or lower `storage.min_free_bytes`: uploads and builds are refused until then";
        Finding::fail(WHAT, text, remedy)
    } else if free < config.min_free_bytes.saturating_mul(5) {
        Finding::warn(WHAT, text, "make room soon: below `storage.min_free_bytes` uploads and builds are refused")
    } else {
        Finding::ok(WHAT, text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::testing::TestApp;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn is(found: &Finding, level: Level, remedy: &str) {
        assert_eq!(found.level, level, "{found:?}");
        assert!(found.remedy.as_deref().unwrap_or_default().contains(remedy), "{found:?}");
    }

    #[tokio::test]
    async fn what_others_can_read_is_told_with_its_remedy() {
        let app = TestApp::start().await;
        let (config, file) = (&app.config, master_key_file(&app.config));
        for found in look(config).await {
            assert_eq!((found.level, found.remedy.as_deref()), (Level::Ok, None), "{found:?}");
        }
        set_mode(&config.data_dir, 0o755);
        is(&folder(config), Level::Warn, "chmod 711 ");
        set_mode(&file, 0o644);
        is(&key(&file), Level::Fail, "chmod 600 ");
        std::fs::write(&file, "short").unwrap();
        is(&key(&file), Level::Fail, "restore it from a backup");
        std::fs::remove_file(&file).unwrap();
        is(&key(&file), Level::Warn, "`slipway serve` makes it");
        let sqlite = config.database_url.trim_start_matches("sqlite:");
        set_mode(Path::new(sqlite), 0o644);
        is(&database(config).await, Level::Warn, "chmod 600 ");
    }

    #[tokio::test]
    async fn a_database_or_a_disk_in_need_is_told_with_its_remedy() {
        let app = TestApp::start().await;
        let mut config = app.config.clone();
        config.min_free_bytes = u64::MAX;
        is(&space(&config), Level::Fail, "`storage.min_free_bytes`");
        config.database_url = format!("sqlite:{}/none.db", config.data_dir.display());
        is(&database(&config).await, Level::Warn, "`slipway serve` makes it");
        config.database_url = "postgres://slipway@127.0.0.1:1/slipway".into();
        is(&database(&config).await, Level::Fail, "check `database.url`");
    }
}
