//! An app for tests of services: SQLite and storage in a folder that goes with it.

use crate::app::App;
use crate::config::Config;
use std::sync::Arc;
use tempfile::TempDir;

/// Derefs to the app; the folder is removed at the end.
pub(crate) struct TestApp {
    pub app: Arc<App>,
    _dir: TempDir,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With more settings, as lines of the file; sections below.
    pub(crate) async fn start_with(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("slipway.toml");
        let settings = format!("data_dir = {:?}\n{more}\n[storage]\nmin_free_bytes = 0\n", dir.path().join("data"));
        std::fs::write(&file, settings).unwrap();
        let app = App::open(Config::load(Some(&file)).unwrap()).await.unwrap();
        crate::db::connect::migrate(&app.db).await.unwrap();
        Self { app, _dir: dir }
    }
}

impl std::ops::Deref for TestApp {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}
