//! One daemon that runs.

#![expect(clippy::disallowed_methods, reason = "how long a daemon is idle or busy is measured here alone")]

use super::cgroup::{Daemons, Steps};
use super::network::Network;
use super::process::{Process, Spawner, wrapped};
use super::progress::Progress;
use super::relay;
use super::settings::{self, Registries};
use super::slots::Slot;
use super::view::{self, View};
use crate::config::Config;
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use slipway_buildkit::{Addr, Client, connect};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

const START_PATIENCE: Duration = Duration::from_mins(1);
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(8);
/// Where network plugins keep which addresses they gave, with a lock that all plugins of a machine would share: one
/// daemon that hangs would stop the steps of all others.
const PLUGIN_STATE: &str = "/var/lib/cni";
/// The kernel takes 107 bytes for a socket's path.
const LONGEST_SOCKET_PATH: usize = 100;

pub(crate) struct Running {
    process: Process,
    client: Client,
    pub(super) registries: Registries,
    /// Builds that use it.
    pub(super) users: AtomicUsize,
    pub(super) progress: Progress,
    last_used: Mutex<Instant>,
    busy_since: Mutex<SystemTime>,
    /// It was ended because its builds filled the disk.
    pub(super) filled_disk: AtomicBool,
    state: PathBuf,
    steps: Option<Steps>,
    /// With how many of it had been ended for their memory before.
    group: Option<(u64, Daemons)>,
    /// After the process, which runs in it.
    _network: Network,
}

impl Running {
    pub(super) async fn start(
        config: &Config,
        spawner: &Spawner,
        state: PathBuf,
        registries: Registries,
    ) -> Result<Self> {
        let began = Instant::now();
        let root = state.join("root");
        let plugins = state.join("cni");
        // What a killed daemon's network plugins noted is about a network that is gone.
        let _ = std::fs::remove_dir_all(&plugins);
        for dir in [&root, &config.run_dir, &plugins] {
            private_dir(dir)?;
        }
        let slot = Slot::take(&config.run_dir, config.network, &state)?;
        let network = Network::start(config, slot, &registries.needed()).await?;
        let steps = Steps::start(config, &state);
        let group = Daemons::group(config).map(|group| (group.ended(), group));
        let file = state.join("buildkitd.toml");
        let text = settings::text(config, &network.slot, steps.as_ref(), &root, &registries);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        let socket = socket_path(config, &state)?;
        let _ = std::fs::remove_file(&socket);

        let command = command(config, &network, &state, &file, &socket, group.as_ref().map(|(_, group)| group))?;
        let process = Process::start(spawner, command).await?;
        let client = match ready(&process, &socket).await {
            Ok(client) => client,
            Err(error) => {
                process.signal(Signal::KILL);
                process.gone().await;
                return Err(error);
            }
        };
        let millis = began.elapsed().as_millis();
        tracing::info!("BuildKit {} is up in {millis} ms on {}", client.daemon().version, network.slot.subnet());
        Ok(Self {
            process,
            client,
            registries,
            users: AtomicUsize::new(0),
            progress: Progress::default(),
            last_used: Mutex::new(Instant::now()),
            busy_since: Mutex::new(SystemTime::now()),
            filled_disk: AtomicBool::new(false),
            state,
            steps,
            group,
            _network: network,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    pub(super) async fn answers(&self) -> bool {
        let info = tokio::time::timeout(ANSWER_PATIENCE, self.client.info());
        self.is_alive() && matches!(info.await, Ok(Ok(_)))
    }

    /// Waits for its end and tells how it was. What it logged last is for the operator.
    pub(super) async fn gone(&self) -> String {
        let how = self.process.gone().await;
        tracing::warn!("BuildKit ended ({how}): {}", self.process.last_words());
        format!("BuildKit ended in the middle of the build ({how})")
    }

    /// Whether it, or another daemon meanwhile, was ended for its memory.
    pub(super) fn took_too_much(&self) -> bool {
        !self.is_alive() && self.group.as_ref().is_some_and(|(before, group)| group.ended() > *before)
    }

    /// A build begins to use it.
    pub(super) fn enter(&self) {
        if self.users.fetch_add(1, Ordering::AcqRel) == 0 {
            *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
        }
    }

    /// Where its layers are, and since when the builds that use it now may have written there.
    pub(super) fn written(&self) -> (PathBuf, SystemTime) {
        (self.state.join("root"), *self.busy_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn touch(&self) {
        *self.last_used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0
    }

    pub(super) fn idle_for(&self) -> Duration {
        if self.users.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        self.last_used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Ends it with all that runs inside.
    pub(super) fn kill(&self) {
        self.process.signal(Signal::KILL);
    }

    /// Ends it and waits for that, but not for ever.
    pub(super) async fn stop_at_once(&self) {
        self.kill();
        let _ = tokio::time::timeout(STOP_PATIENCE, self.process.gone()).await;
        self.leave_group();
    }

    /// Asks first: a daemon that ends by itself gives its addresses back.
    pub(super) async fn stop(&self) {
        // It would wait for sessions of builds that are over.
        self.client.part();
        self.process.signal(Signal::TERM);
        if tokio::time::timeout(STOP_PATIENCE, self.process.gone()).await.is_err() {
            self.kill();
            self.process.gone().await;
        }
        self.leave_group();
    }

    /// Only here: when it is dropped another daemon may have the group.
    fn leave_group(&self) {
        if let Some(steps) = &self.steps {
            steps.remove();
        }
    }
}

fn command(
    config: &Config,
    network: &Network,
    state: &Path,
    settings: &Path,
    socket: &Path,
    group: Option<&Daemons>,
) -> Result<tokio::process::Command> {
    let program = config.program("buildkitd").context("buildkitd was not found")?;
    let root = state.join("root");
    let mut command =
        wrapped(&network.path(), &seen(config, network, state, socket)?, group.map(Daemons::door).as_deref());
    command.arg(program).arg("--config").arg(settings).arg("--root").arg(&root);
    command.arg("--addr").arg(format!("unix://{}", socket.display()));
    // Its own trace socket: the default one is shared by all daemons of a machine, and the second would not start.
    command.arg("--otel-socket-path").arg(socket.with_extension("otel"));
    command
        .env_clear()
        .env("PATH", config.search_path())
        .env("HOME", root)
        // Firewall rules are each namespace's own, and so is the lock on them.
        .env("XTABLES_LOCKFILE", state.join("cni/xtables.lock"))
        // Our own caps stand in the place of these: see `log/records.rs`.
        .env("BUILDKIT_STEP_LOG_MAX_SIZE", "-1")
        .env("BUILDKIT_STEP_LOG_MAX_SPEED", "-1");
    for name in crate::trust::PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let bundle = config.work_dir.join(crate::trust::BUNDLE);
    if bundle.exists() {
        command.env("SSL_CERT_FILE", bundle);
    }
    Ok(command)
}

/// What the daemon sees of this machine: its own state, and what it was started with.
fn seen(config: &Config, network: &Network, state: &Path, socket: &Path) -> Result<View> {
    std::fs::create_dir_all(PLUGIN_STATE).with_context(|| format!("make {PLUGIN_STATE}"))?;
    let mut seen = View::default();
    seen.bind(&state.join("cni"), Path::new(PLUGIN_STATE));
    if let Some(text) = relay::resolv_conf(network.slot.address()) {
        let file = state.join("resolv.conf");
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        seen.bind(&file, Path::new(relay::RESOLV_CONF));
    }
    let cover = state.join("stage");
    private_dir(&cover)?;
    let programs = std::env::split_paths(&config.search_path()).collect::<Vec<_>>();
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let needed = [state.to_owned(), config.cni_dir.clone(), config.work_dir.join(crate::trust::BUNDLE)];
    let kept: Vec<_> =
        needed.into_iter().chain(socket.parent().map(Path::to_owned)).chain(programs).chain(named).collect();
    let others = config.hidden.iter().chain([&config.work_dir, &config.run_dir]).cloned();
    for folder in view::hidden(others) {
        seen.hide(&folder, &kept, &cover);
    }
    Ok(seen)
}

/// Waits until it answers, or says why it does not.
async fn ready(process: &Process, socket: &Path) -> Result<Client> {
    let address = Addr::Unix(socket.to_owned());
    let answering = async {
        loop {
            if socket.exists()
                && let Ok(client) = connect(&address).await
            {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        client = answering => Ok(client),
        how = process.gone() => {
            // Its last lines are still on their way.
            tokio::time::sleep(Duration::from_millis(50)).await;
            bail!("buildkitd ended ({how}): {}", process.last_words())
        }
        () = tokio::time::sleep(START_PATIENCE) => {
            bail!("buildkitd did not answer within {} s: {}", START_PATIENCE.as_secs(), process.last_words())
        }
    }
}

/// In the state, or where the path is too long in a folder of its own: the daemon sees none of the others.
fn socket_path(config: &Config, state: &Path) -> Result<PathBuf> {
    let path = state.join("buildkitd.sock");
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return Ok(path);
    }
    let name = hex::encode(Sha256::digest(state.as_os_str().as_bytes()));
    let folder = config.run_dir.join(&name[..16]);
    private_dir(&folder)?;
    Ok(folder.join("buildkitd.sock"))
}

fn private_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("make {}", dir.display()))
}
