//! One git call: its settings, its patience, and what it says.

use super::{Git, GitError, SETTINGS};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Of what git says on its error stream, so much of the end is kept: what a server sends is printed there too.
const KEPT_WORDS: usize = 4 << 10;

/// One git call.
pub(crate) struct Call<'a> {
    git: &'a Git,
    dir: &'a Path,
    env: Vec<(&'static str, OsString)>,
    settings: Vec<(String, String)>,
    patience: Duration,
}

impl<'a> Call<'a> {
    pub(super) fn new(git: &'a Git, dir: &'a Path) -> Self {
        Self { git, dir, env: Vec::new(), settings: Vec::new(), patience: Duration::from_mins(2) }
    }

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
