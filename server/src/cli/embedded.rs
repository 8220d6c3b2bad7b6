//! The builder inside `slipway serve`. It speaks HTTP over loopback like any other one: one path, always tested.

use crate::app::App;
use crate::builds::fleet::Seen;
use crate::error::{Context, Result};
use slipway_builder::{Config, GcSizes};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
            let stop = async {
                stopped.wait_for(|stop| *stop).await.ok();
            };
            let Err(error) = slipway_builder::run(config.clone(), stop).await else { return };
            tracing::error!("the embedded builder ended, and is started again: {error:#}");
            tell_waiting(&app, format!("the embedded builder does not start: {error:#}"));
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    })))
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
    config.min_free_bytes = ours.min_free_bytes;
    config.ca_files.clone_from(&ours.builds.ca_files);
    Ok(config)
}
