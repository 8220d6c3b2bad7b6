//! The BuildKit daemons: one for each trust domain, started when needed and stopped when idle.

mod cgroup;
mod firewall;
mod lease;
mod metadata;
mod network;
mod process;
mod progress;
mod relay;
mod room;
mod running;
mod settings;
mod slots;
mod view;

pub(crate) use cgroup::missing as missing_bounds;
pub(crate) use lease::Lease;
pub(crate) use settings::Registries;

use crate::config::Config;
use anyhow::{Context, Result};
use process::Spawner;
use running::Running;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sweeps from one look at the firewall to the next: a quarter of a minute, for a look takes a dozen processes.
const GUARD_EVERY: u32 = 3;

/// Where daemons come from: `process` starts them as children of this program.
pub(crate) enum DaemonProvider {
    Process(Pool),
}

impl DaemonProvider {
    /// A daemon of this trust domain, for one build.
    pub(crate) async fn lease(&self, domain: &str, registries: &Registries) -> Result<Lease> {
        match self {
            Self::Process(pool) => pool.lease(domain, registries).await,
        }
    }

    /// Stops daemons that have been idle for long, clears what they keep when the disk fills, ends builds that fill it,
    /// and puts rules of the firewall back that somebody took away.
    pub(crate) async fn sweep(&self) {
        match self {
            Self::Process(pool) => {
                pool.stop_idle().await;
                pool.make_room().await;
                pool.stop_fillers().await;
                pool.guard_again().await;
            }
        }
    }

    /// Stops all of them.
    pub(crate) async fn stop(&self) {
        match self {
            Self::Process(pool) => pool.stop_all().await,
        }
    }
}

/// The daemons that are children of this program.
pub(crate) struct Pool {
    config: Arc<Config>,
    spawner: Spawner,
    firewall: tokio::sync::Mutex<()>,
    sweeps: AtomicU32,
    /// By state folder.
    domains: Mutex<HashMap<PathBuf, Arc<Domain>>>,
}

/// One place for a daemon; the lock is held while it starts or stops.
type Domain = tokio::sync::Mutex<Option<Arc<Running>>>;

impl Pool {
    pub(crate) fn new(config: Arc<Config>) -> Result<Self> {
        cgroup::remove_dead();
        Ok(Self {
            config,
            spawner: Spawner::start()?,
            firewall: tokio::sync::Mutex::default(),
            sweeps: AtomicU32::default(),
            domains: Mutex::default(),
        })
    }

    async fn lease(&self, domain: &str, registries: &Registries) -> Result<Lease> {
        self.guard().await?;
        let state = self.state_dir(domain);
        let place = self.domain(&state);
        let mut place = place.lock().await;
        if let Some(daemon) = place.take() {
            let idle = daemon.users.load(Ordering::Acquire) == 0;
            if !daemon.answers().await {
                tracing::warn!("the BuildKit daemon of {domain} does not answer: killing it");
                // Its addresses are free when it is gone.
                daemon.stop_at_once().await;
            } else if idle && daemon.registries != *registries {
                tracing::info!("the registry settings changed: starting the BuildKit daemon of {domain} again");
                daemon.stop().await;
            } else {
                let lease = Lease::new(daemon.clone());
                *place = Some(daemon);
                return Ok(lease);
            }
        }
        let daemon = Running::start(&self.config, &self.spawner, state, registries.clone());
        let daemon = Arc::new(daemon.await.with_context(|| "BuildKit does not start")?);
        *place = Some(daemon.clone());
        Ok(Lease::new(daemon))
    }

    /// For each build and while it runs: whoever reloads the machine's firewall takes the rules away.
    async fn guard(&self) -> Result<()> {
        let _one_at_a_time = self.firewall.lock().await;
        let guard = firewall::guard(&self.config).await;
        guard.context("builds cannot be kept apart from the machine's network; look at iptables")
    }

    async fn guard_again(&self) {
        let sweep = self.sweeps.fetch_add(1, Ordering::Relaxed);
        // Who holds the lock is starting a daemon, or stopping one.
        let in_use = || self.all().iter().any(|domain| domain.try_lock().map_or(true, |place| place.is_some()));
        if sweep.is_multiple_of(GUARD_EVERY)
            && in_use()
            && let Err(error) = self.guard().await
        {
            tracing::warn!("{error:#}");
        }
    }

    /// The folder's name is a hash: short, and made of nothing that a domain's name may hold.
    fn state_dir(&self, domain: &str) -> PathBuf {
        let name = hex::encode(Sha256::digest(domain.as_bytes()));
        self.config.work_dir.join("daemons").join(&name[..16])
    }

    fn domain(&self, state: &Path) -> Arc<Domain> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.entry(state.to_owned()).or_default().clone()
    }

    fn all(&self) -> Vec<Arc<Domain>> {
        let domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.values().cloned().collect()
    }

    async fn stop_idle(&self) {
        let mut idle = Vec::new();
        for domain in self.all() {
            // Who holds the lock is starting a build.
            let Ok(mut place) = domain.try_lock() else {
                continue;
            };
            let done = |daemon: &mut Arc<Running>| !daemon.is_alive() || daemon.idle_for() > self.config.idle_timeout;
            if let Some(daemon) = place.take_if(done) {
                daemon.stop().await;
            }
            if let Some(daemon) = place.as_ref().filter(|daemon| daemon.is_idle()) {
                idle.push((daemon.idle_for(), domain.clone()));
            }
        }
        for domain in beyond(self.config.most_idle, idle) {
            let Ok(mut place) = domain.try_lock() else {
                continue;
            };
            // A build may have come for it meanwhile.
            if let Some(daemon) = place.take_if(|daemon| daemon.is_idle()) {
                daemon.stop().await;
            }
        }
    }

    async fn stop_all(&self) {
        let stopping = self.all().into_iter().map(|place| async move {
            if let Some(daemon) = place.lock().await.take() {
                daemon.stop().await;
            }
        });
        futures_util::future::join_all(stopping).await;
        cgroup::remove_own();
    }
}

/// Those that are too many, the longest idle first.
fn beyond<T>(most: usize, mut idle: Vec<(Duration, T)>) -> Vec<T> {
    let surplus = idle.len().saturating_sub(most);
    idle.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    idle.into_iter().take(surplus).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_go_first() {
        let idle = || [3, 9, 1, 5].map(|secs| (Duration::from_secs(secs), secs)).to_vec();
        assert_eq!(beyond(2, idle()), [9, 5]);
        assert_eq!(beyond(4, idle()), [0; 0]);
        assert_eq!(beyond(0, idle()), [9, 5, 3, 1]);
    }
}
