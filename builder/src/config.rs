//! What an operator sets for a builder; everything else comes with the assignment.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

const GIB: u64 = 1 << 30;

#[derive(Clone)]
pub struct Config {
    /// Base URL of `slipway serve`, `http://127.0.0.1:8080`.
    pub server: Url,
    /// The builder's own token (`slb_…`), good for claims only.
    pub token: String,
    /// Checkouts, mirrors and the state of the BuildKit daemons.
    pub work_dir: PathBuf,
    /// Where `buildkitd` and `runc` are; what is not there is looked for in `PATH`.
    pub bin_dir: Option<PathBuf>,
    /// Folders that BuildKit and what it starts must not see, beside the work folder: those of the server.
    pub hidden: Vec<PathBuf>,
    /// Shown in logs and on build pages.
    pub name: String,
    /// Builds at once.
    pub slots: u32,
    /// The network plugins: `bridge`, `firewall`, `host-local`, `loopback`, `ptp`, `static`.
    pub cni_dir: PathBuf,
    /// A `/16` whose `/24` parts are the networks of the RUN steps, one for each daemon.
    pub network: Ipv4Addr,
    /// Sockets that need a short path, and the table of networks in use on this machine.
    pub run_dir: PathBuf,
    /// A daemon without a build for so long is stopped; its state stays.
    pub idle_timeout: Duration,
    /// More daemons without a build are stopped before that, the longest idle first: each holds memory.
    pub most_idle: usize,
    /// How much each daemon may keep.
    pub gc: GcSizes,
    /// Memory of all RUN steps together; 0 for three quarters of the machine's.
    pub memory_bytes: u64,
    /// Processes in the RUN steps of one daemon.
    pub processes: u32,
    /// Below this no build is claimed.
    pub min_free_bytes: u64,
    /// The largest source, packed or checked out.
    pub max_source_bytes: u64,
    /// Certificate authorities (PEM) beside the system's: for the server, the forge and upstream registries.
    pub ca_files: Vec<PathBuf>,
    pub log: LogLimits,
}

/// BuildKit's own garbage rules, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcSizes {
    /// Kept whatever its age.
    pub reserved: u64,
    /// Never more than this, for each daemon.
    pub max_used: u64,
    /// Free space on the disk that it tries to keep.
    pub min_free: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    pub step_lines: u32,
    pub step_bytes: u64,
    pub build_lines: u32,
    pub build_bytes: u64,
    /// What the server has not acknowledged; beyond this the build waits.
    pub pending_bytes: usize,
}

impl Config {
    /// The defaults around what has none.
    pub fn new(server: Url, token: impl Into<String>, work_dir: impl Into<PathBuf>) -> Self {
        Self {
            server,
            token: token.into(),
            work_dir: work_dir.into(),
            bin_dir: None,
            hidden: Vec::new(),
            name: host_name(),
            slots: 2,
            cni_dir: PathBuf::from("/usr/lib/cni"),
            network: Ipv4Addr::new(10, 180, 0, 0),
            run_dir: PathBuf::from("/run/slipway"),
            idle_timeout: Duration::from_mins(10),
            most_idle: 4,
            gc: GcSizes { reserved: 2 * GIB, max_used: 20 * GIB, min_free: 5 * GIB },
            memory_bytes: 0,
            processes: 4096,
            min_free_bytes: 3 * GIB,
            max_source_bytes: 5 * GIB,
            ca_files: Vec::new(),
            log: LogLimits::default(),
        }
    }

    /// Free space that is made by removing what can be had again.
    pub(crate) fn wanted_free(&self) -> u64 {
        self.min_free_bytes.max(self.gc.min_free)
    }

    /// The program's path: in `bin_dir`, else in `PATH` or where system programs lie.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.search_path();
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
    }

    /// `PATH` for git and the daemons.
    pub(crate) fn search_path(&self) -> std::ffi::OsString {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
        let dirs = self
            .bin_dir
            .iter()
            .cloned()
            .chain(std::env::split_paths(&inherited))
            .chain(system.iter().map(PathBuf::from));
        std::env::join_paths(dirs.filter(|dir| dir.is_absolute())).unwrap_or(inherited)
    }
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            step_lines: 200_000,
            step_bytes: 100 << 20,
            build_lines: 1_000_000,
            build_bytes: 400 << 20,
            pending_bytes: 16 << 20,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("server", &self.server.as_str())
            .field("token", &"***")
            .field("work_dir", &self.work_dir)
            .field("name", &self.name)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "builder".to_owned(),
        name => name.to_owned(),
    }
}
