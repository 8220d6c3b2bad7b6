//! `slipway-builder`: runs builds for a Slipway server.

mod args;

use anyhow::Result;
use args::Args;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_from_env("SLIPWAY_BUILDER_LOG");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_unset| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .init();
    let config = args.config()?;
    tracing::info!("{} takes builds from {}", config.name, config.server);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: builds that run are given back");
    };
    slipway_builder::run(config, stopped).await
}
