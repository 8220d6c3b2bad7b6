//! Asks the server for work, and does as much at once as there are slots.

use crate::api::{Api, Error};
use crate::attempt;
use crate::checkout::Checkouts;
use crate::config::Config;
use crate::daemon::{DaemonProvider, Pool};
use crate::{lock, readiness, trust};
use anyhow::{Context, Result};
use slipway_protocol::{ClaimRequest, VERSION};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

const WAIT_SECS: u64 = 25;
/// While builds cannot run, the server is told again so often.
const UNABLE_PAUSE: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What the attempts share.
pub(crate) struct Builder {
    pub(crate) config: Arc<Config>,
    pub(crate) api: Api,
    pub(crate) checkouts: Checkouts,
    pub(crate) daemons: DaemonProvider,
    pub(crate) platforms: Vec<String>,
    _lock: File,
}

impl Builder {
    async fn new(config: Config) -> Result<Self> {
        let made = std::fs::create_dir_all(&config.work_dir);
        made.with_context(|| format!("make {}", config.work_dir.display()))?;
        // Others may pass through, as git does where it runs as `nobody`, and see nothing.
        std::fs::set_permissions(&config.work_dir, Permissions::from_mode(0o711))?;
        let config = Config { work_dir: config.work_dir.canonicalize()?, ..config };
        let lock = lock::take(&config.work_dir)?;
        trust::write_bundle(&config)?;
        let config = Arc::new(config);
        Ok(Self {
            api: Api::new(&config)?,
            checkouts: Checkouts::new(&config).await?,
            daemons: DaemonProvider::Process(Pool::new(config.clone())?),
            platforms: readiness::platforms(),
            config,
            _lock: lock,
        })
    }
}

/// Claims and runs builds until `shutdown` is done. Builds that run then are given back to the server.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<()> {
    let builder = Arc::new(Builder::new(config).await?);
    let (stop, stopping) = watch::channel(false);
    let mut attempts = JoinSet::new();
    tokio::select! {
        () = shutdown => {}
        () = sweep(&builder) => {}
        () = claims(&builder, &stopping, &mut attempts) => {}
    }
    let _ = stop.send(true);
    while attempts.join_next().await.is_some() {}
    builder.daemons.stop().await;
    Ok(())
}

/// Keeps the machine tidy while builds come and go. Runs until dropped.
async fn sweep(builder: &Builder) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        builder.daemons.sweep().await;
        builder.checkouts.make_room().await;
    }
}

/// Runs until dropped.
async fn claims(builder: &Arc<Builder>, stopping: &watch::Receiver<bool>, attempts: &mut JoinSet<()>) {
    let slots = usize::try_from(builder.config.slots.max(1)).unwrap_or(1);
    let slots = Arc::new(Semaphore::new(slots));
    let mut pause = Duration::ZERO;
    loop {
        while attempts.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let request = request(builder, slots.available_permits() + 1);
        let unable = request.unable.is_some();
        match builder.api.claim(&builder.config.token, &request).await {
            Ok(Some(assignment)) => {
                pause = Duration::ZERO;
                let builder = builder.clone();
                let stopping = stopping.clone();
                attempts.spawn(async move {
                    let _slot: OwnedSemaphorePermit = slot;
                    Box::pin(attempt::run(&builder, assignment, stopping)).await;
                });
            }
            Ok(None) => {
                pause = Duration::ZERO;
                if unable {
                    tokio::time::sleep(UNABLE_PAUSE).await;
                }
            }
            Err(error) => {
                pause = (pause * 2).clamp(Duration::from_millis(100), LONGEST_PAUSE);
                if let Error::Refused(_) = error {
                    pause = LONGEST_PAUSE;
                    tracing::error!("{error}");
                } else {
                    tracing::warn!("{error}; asking again in {} ms", pause.as_millis());
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn request(builder: &Builder, free: usize) -> ClaimRequest {
    let unable = readiness::unable(&builder.config);
    if let Some(text) = &unable {
        tracing::warn!("no builds: {text}");
    }
    ClaimRequest {
        version: VERSION,
        builder: builder.config.name.clone(),
        platforms: builder.platforms.clone(),
        slots: u32::try_from(free).unwrap_or(1),
        wait_secs: if unable.is_some() { 0 } else { WAIT_SECS },
        unable,
    }
}
