//! The builder inside `slipway serve`. It speaks HTTP over loopback like any other one: one path, always tested.

use crate::app::App;
use crate::builds::fleet::Seen;
use crate::error::{Context, Result};
use slipway_builder::{Config, GcSizes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// By this name the server knows that the builder died with it.
pub const NAME: &str = "embedded";
/// A builder that could not start, or fell over, is started again after this.
const AGAIN: Duration = Duration::from_secs(10);

/// Starts the builder, if it is wanted here; it stops with `stopped`.
pub fn start(app: &Arc<App>, mut stopped: watch::Receiver<bool>) -> Result<Option<JoinHandle<()>>> {
    if !app.config.builder.embedded {
        return Ok(None);
    }
    let (config, app) = (config(app)?, app.clone());
    Ok(Some(tokio::spawn(async move {
        loop {
            let mut stop = stopped.clone();
            let config = config.clone();
            let run = async move {
                let stop = async move {
                    stop.wait_for(|stop| *stop).await.ok();
                };
                slipway_builder::run(config, stop).await.map_err(|error| format!("{error:#}"))
            };
            let Err(error) = outcome(run).await else { return };
            tracing::error!("the embedded builder ended, and is started again: {error}");
            tell_waiting(&app, format!("the embedded builder does not start: {error}"));
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    })))
}

/// How the builder ended. A panic in it is an error too: nobody waits for it, and builds would wait for ever.
async fn outcome(
    run: impl Future<Output = std::result::Result<(), String>> + Send + 'static,
) -> std::result::Result<(), String> {
    // A set of one: when this future is dropped, the task ends with it.
    let mut task = JoinSet::new();
    task.spawn(run);
    match task.join_next().await {
        Some(Ok(ended)) => ended,
        Some(Err(error)) => Err(format!("a fault in it: {error}")),
        None => Ok(()),
    }
}

/// Pages of builds that wait say why.
fn tell_waiting(app: &App, why: String) {
    let (name, at) = (NAME.to_owned(), app.clock.now());
    app.builders.asked(Seen { name, at, platforms: Vec::new(), slots: 0, unable: Some(why) });
}

fn config(app: &App) -> Result<Config> {
    let ours = &app.config;
    let work_dir = ours.data_dir.join("builder");
    std::fs::create_dir_all(&work_dir).context("making the builder's folder")?;
    let mut config = Config::new(ours.internal_url.clone(), app.builder_token.reveal(), work_dir);
    config.hidden = hidden(ours);
    NAME.clone_into(&mut config.name);
    config.slots = ours.builder.slots;
    config.bin_dir.clone_from(&ours.builder.buildkit_bin_dir);
    config.cni_dir.clone_from(&ours.builder.cni_bin_dir);
    config.idle_timeout = Duration::from_secs(ours.builder.idle_secs);
    config.gc = GcSizes {
        reserved: ours.builder.cache_bytes / 10,
        max_used: ours.builder.cache_bytes,
        min_free: ours.min_free_bytes.saturating_mul(2),
    };
    config.memory_bytes = ours.builder.memory_bytes;
    config.processes = ours.builder.processes;
    config.min_free_bytes = ours.min_free_bytes;
    config.ca_files.clone_from(&ours.builds.ca_files);
    Ok(config)
}

/// Where keys, database and blobs are. A database elsewhere is hidden with its folder.
fn hidden(ours: &crate::config::Config) -> Vec<PathBuf> {
    let database = ours.database_url.strip_prefix("sqlite:").map(|path| Path::new(path.trim_start_matches("//")));
    let database = database.and_then(|file| std::path::absolute(file).ok());
    std::iter::once(ours.data_dir.clone())
        .chain(database.iter().filter_map(|f| f.parent()).map(Path::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn a_panic_of_the_builder_is_an_error_like_any_other() {
        let error = outcome(async { panic!("no such cache") }).await.unwrap_err();
        assert!(error.contains("no such cache"), "{error}");
        assert_eq!(outcome(async { Err("away".to_owned()) }).await, Err("away".to_owned()));
        assert_eq!(outcome(async { Ok(()) }).await, Ok(()));
    }

    #[tokio::test]
    async fn the_builder_ends_with_whoever_waits_for_it() {
        struct Ends(Arc<AtomicBool>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let has_ended = Arc::new(AtomicBool::new(false));
        let ends = Ends(has_ended.clone());
        let run = outcome(async move {
            let _ends = ends;
            std::future::pending().await
        });
        tokio::time::timeout(Duration::from_millis(50), run).await.unwrap_err();
        tokio::task::yield_now().await;
        assert!(has_ended.load(Ordering::Relaxed));
    }
}
