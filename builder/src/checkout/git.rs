//! Runs git on sources that we do not trust.
//!
//! No hooks, no system or user configuration, no helpers, no prompts, http only, no redirects;
//! the attempt's token goes by environment. Where the builder is root and the folders can be reached by others, git runs as `nobody`.

mod call;

pub(crate) use call::Call;

use crate::config::Config;
use crate::readiness::free_bytes;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const NOBODY: u32 = 65534;
/// Memory of one git process; packs that it maps are not counted. Linux needs a tenth of it.
const MOST_MEMORY: u64 = 2 << 30;
/// However little room is left, git can write its small files.
const SMALLEST_LIMIT: u64 = 1 << 20;
/// What the system says of a file that became larger than it may.
const FILE_LIMIT: &str = "File too large";

/// How git is started here.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    path: OsString,
    home: PathBuf,
    ca_bundle: Option<PathBuf>,
    max_bytes: u64,
    min_free_bytes: u64,
    pub(crate) unprivileged: bool,
}

/// A git call that ended with an error.
#[derive(Debug, thiserror::Error)]
#[error("git {verb}: {text}")]
pub(crate) struct GitError {
    verb: String,
    pub(crate) text: String,
}

impl GitError {
    #[cfg(test)]
    pub(crate) fn new(verb: &str, text: &str) -> Self {
        Self { verb: verb.to_owned(), text: text.to_owned() }
    }

    /// The same with another address in the place of the one that git was given.
    pub(crate) fn renamed(self, from: &str, to: &str) -> Self {
        Self { text: self.text.replace(from.trim_end_matches('/'), to), ..self }
    }

    /// Whether the disk has no room, or none that is not for builds.
    pub(crate) fn is_disk_full(&self, git: &Git) -> bool {
        // `checkout-index` does not say why.
        let has = |words: &[&str]| words.iter().any(|word| self.text.contains(word));
        has(&["No space left"]) || (has(&[FILE_LIMIT, "unable to write file"]) && git.lacks_room())
    }

    /// Whether git met the limit of a file's size, or `MOST_MEMORY`.
    pub(crate) fn is_over_a_limit(&self) -> bool {
        self.text.contains(FILE_LIMIT) || self.text.contains("ut of memory")
    }
}

/// A write beyond the limit is an error that git tells, and not a signal to one of its children. And the modes of files
/// are those that a clone has elsewhere, whatever the builder was started with: they come into images.
const START: &str = "umask 022; trap '' XFSZ; exec \"$@\"";

/// Configuration that holds for each call. Given by environment, it stands above what a repository says.
const SETTINGS: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "true"),
    ("core.autocrlf", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    // Each fetch is one pack, so that the number of packs tells when a mirror is to be renewed.
    ("fetch.unpackLimit", "1"),
    // Each thread may take memory of its own.
    ("pack.threads", "2"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
];

impl Git {
    /// `home` is an empty folder; `probe` one that git must be able to reach as `nobody`.
    pub(crate) async fn new(config: &Config, home: &Path, probe: &Path) -> Result<Self> {
        // Whether it is there, `readiness` tells.
        let program = config.program("git").unwrap_or_else(|| PathBuf::from("git"));
        let ca_bundle = config.work_dir.join(crate::trust::BUNDLE);
        let mut git = Self {
            program,
            path: config.search_path(),
            home: home.to_owned(),
            ca_bundle: ca_bundle.exists().then_some(ca_bundle),
            max_bytes: config.max_source_bytes,
            min_free_bytes: config.min_free_bytes,
            unprivileged: rustix::process::geteuid().is_root(),
        };
        if git.unprivileged {
            git.own(probe)?;
            let reached = git.in_dir(probe).run(["--version"]).await.is_ok()
                && git.in_dir(probe).run(["init", "-q", "--bare", "probe"]).await.is_ok();
            let _ = std::fs::remove_dir_all(probe.join("probe"));
            if !reached {
                tracing::warn!("git runs as root: {} cannot be reached by other users", probe.display());
                git.unprivileged = false;
                git.own(probe)?;
            }
        }
        Ok(git)
    }

    /// Gives a folder to the user that git runs as, and to nobody else.
    pub(crate) fn own(&self, dir: &Path) -> Result<()> {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        if rustix::process::geteuid().is_root() {
            let id = if self.unprivileged { NOBODY } else { 0 };
            std::os::unix::fs::chown(dir, Some(id), Some(id))
                .with_context(|| format!("give {} to git", dir.display()))?;
        }
        Ok(())
    }

    pub(crate) fn in_dir<'a>(&'a self, dir: &'a Path) -> Call<'a> {
        Call::new(self, dir)
    }

    /// The largest file that git may write: it leaves the disk the room that builds need.
    fn largest_file(&self) -> u64 {
        let room = free_bytes(&self.home).map(|free| free.saturating_sub(self.min_free_bytes));
        room.unwrap_or(u64::MAX).max(SMALLEST_LIMIT).min(self.max_bytes)
    }

    /// Whether it is the disk that keeps git from writing what it may.
    fn lacks_room(&self) -> bool {
        self.largest_file() < self.max_bytes
    }

    fn command(&self) -> Command {
        let mut command = Command::new("prlimit");
        command.arg(format!("--fsize={}", self.largest_file())).arg(format!("--data={MOST_MEMORY}"));
        command.args(["--core=0", "--", "sh", "-c", START, "sh"]);
        if self.unprivileged {
            let id = NOBODY.to_string();
            command.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
            command.args(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]);
        }
        command.arg(&self.program);
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "http:https");
        for name in crate::trust::PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(bundle) = &self.ca_bundle {
            command.env("GIT_SSL_CAINFO", bundle);
        }
        command
    }
}
