//! `slipway serve`: everything in one process.

use super::{embedded, lock, migrate, socket};
use crate::app::App;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::{builds, http, jobs, registry, trust};
use std::io::IsTerminal;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

pub async fn run(mut config: Config) -> Result<()> {
    start_log(&config);
    raise_open_files();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let _lock = lock::take(&config)?;
    let internal = http::server::bind_internal(&mut config)?;
    let app = App::open(config).await?;
    migrate::bring_up(&app).await?;
    let commands = socket::listen(&app)?;
    print_first_link(&app).await?;
    registry::uploads::at_start(&app).await?;
    trust::at_start(&app).await?;
    crate::accounts::standing::at_start(&app).await?;
    builds::at_start(&app).await?;
    builds::bases::at_start(&app).await?;
    jobs::at_start(&app).await?;
    registry::removal::forget_shared_caches(&app).await?;
    // Before the first answer: who sees the server ready may ask it to stop at once.
    let stop_signals = Signals::listen()?;
    let server = http::server::start(&app, internal)?;
    let handle = server.handle();
    let Config { listen, public_url, internal_url, .. } = &app.config;
    tracing::info!("listening on {listen}, people use {public_url} and builders use {internal_url}");
    if app.config.builder.is_none() {
        tracing::info!("no builder is set up: this is a registry only, and builds wait");
    }
    let server = tokio::spawn(server);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let jobs = tokio::spawn(jobs::run(app.clone(), stopped.clone()));
    let builder = embedded::start(&app, stopped)?;
    let _schedule = jobs::start_schedule(&app).await?;
    stop_signals.received().await;
    tracing::info!("stopping: requests in flight may end");
    commands.abort();
    stop.send_replace(true);
    // Live pages and waiting builders let go at once.
    app.wake.stop();
    // The builder hands its builds back before the server that takes them is gone.
    if let Some(builder) = builder {
        builder.await.context("the embedded builder")?;
    }
    handle.stop(true).await;
    jobs.await.context("the job runner")?;
    server.await.context("the server")?.context("the server")
}

/// While nobody exists, one link lets the first person in: there is no password to guess or to forget.
#[expect(clippy::print_stderr, reason = "the operator must find it without searching the log")]
async fn print_first_link(app: &App) -> Result<()> {
    if let Some(link) = crate::accounts::invites::for_first_start(app).await? {
        eprintln!(
            "\nNobody has signed in yet. This link makes one person site admin, once, within 7 days:\n\n  {link}\n"
        );
    }
    Ok(())
}

fn start_log(config: &Config) {
    // A client that tries https on a plain port is no error of ours; migrations log each step.
    let quiet = "actix_http::h1::dispatcher=off,actix_server=warn,sea_orm_migration=warn,tokio_cron_scheduler=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", config.log_level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    if config.log_json { builder.json().init() } else { builder.init() }
}

/// Each connection and each object that is read or written is an open file. The usual soft limit, 1024, is for programs
/// that use `select(2)`.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(e) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the limit of open files stays as it is: {e}");
    }
}

/// What an operator or a terminal sends to stop us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
