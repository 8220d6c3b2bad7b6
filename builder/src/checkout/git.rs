//! Runs git on sources that we do not trust.
//!
//! No hooks, no system or user configuration, no helpers, no prompts, http only, no redirects;
//! the attempt's token goes by environment. Where the builder is root and the folders can be reached by others, git runs as `nobody`.

use crate::config::Config;
use crate::readiness::free_bytes;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

const NOBODY: u32 = 65534;
/// Memory of one git process; packs that it maps are not counted. Linux needs a tenth of it.
const MOST_MEMORY: u64 = 2 << 30;
/// However little room is left, git can write its small files.
const SMALLEST_LIMIT: u64 = 1 << 20;
/// Of what git says on its error stream, so much of the end is kept: what a server sends is printed there too.
const KEPT_WORDS: usize = 4 << 10;
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
        Call { git: self, dir, env: Vec::new(), settings: Vec::new(), patience: Duration::from_mins(2) }
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
        // A write beyond the limit is an error that git tells, and not a signal to one of its children.
        command.args(["--core=0", "--", "sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
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

/// One git call.
pub(crate) struct Call<'a> {
    git: &'a Git,
    dir: &'a Path,
    env: Vec<(&'static str, OsString)>,
    settings: Vec<(String, String)>,
    patience: Duration,
}

impl Call<'_> {
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// A configuration value, kept out of the arguments.
    pub(crate) fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end. Dropping the future kills git and its helpers.
    pub(crate) async fn run<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Result<()> {
        self.read(args, |_| Ok(())).await
    }

    /// Runs it and hands over what it prints, as it comes; when that is refused, git is killed.
    pub(crate) async fn read<A: AsRef<OsStr>>(
        self,
        args: impl IntoIterator<Item = A>,
        each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let args: Vec<A> = args.into_iter().collect();
        let verb = args.first().map(|arg| arg.as_ref().to_string_lossy().into_owned());
        let verb = verb.unwrap_or_default();
        let mut command = self.git.command();
        command.args(args).current_dir(self.dir).envs(self.env);
        let fixed = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = fixed.chain(self.settings).collect();
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (n, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{n}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).kill_on_drop(true).spawn();
        let mut child = child.with_context(|| format!("start {}", self.git.program.display()))?;
        let group = Group(child.id());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let ending = async {
            let ((), said) = tokio::try_join!(pump(stdout, each), tail(stderr))?;
            let status = child.wait().await.context("wait for git")?;
            anyhow::Ok((status, said))
        };
        let Ok(ended) = tokio::time::timeout(self.patience, ending).await else {
            let text = format!("no end after {} s", self.patience.as_secs());
            bail!(GitError { verb, text });
        };
        let (status, said) = ended?;
        std::mem::forget(group);
        if status.success() { Ok(()) } else { Err(GitError { verb, text: last_words(status, &said) }.into()) }
    }
}

/// Hands over what comes, until the end.
async fn pump(stream: Option<impl AsyncRead + Unpin>, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = stream.read(&mut buffer).await.context("read what git prints")?;
        if length == 0 {
            return Ok(());
        }
        each(&buffer[..length])?;
    }
}

/// Reads to the end, and keeps the last of it.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    pump(stream, |bytes| {
        kept.extend_from_slice(bytes);
        kept.drain(..kept.len().saturating_sub(KEPT_WORDS));
        Ok(())
    })
    .await?;
    Ok(kept)
}

/// Kills the process group, helpers like `git-remote-https` included.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|pid| Pid::from_raw(pid.cast_signed()));
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// What git said last, on one line.
fn last_words(status: ExitStatus, said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut last = lines[lines.len().saturating_sub(3)..].join("; ");
    last.truncate(last.floor_char_boundary(500));
    if last.is_empty() {
        last = status.to_string();
    }
    last
}
