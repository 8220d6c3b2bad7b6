//! A daemon as a child process that takes all its RUN steps with it when it dies.
//!
//! It runs in process, mount and network namespaces of its own, so SIGKILL of its first process ends everything inside. The kernel sends
//! that signal when the *thread* that started it ends, so one thread, as old as the pool, starts them all.

use super::view::{self, View};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{oneshot, watch};

/// So many lines of the daemon's own log are kept for an error text.
const KEPT_LINES: usize = 40;

/// The thread that starts daemons.
#[derive(Debug, Clone)]
pub(super) struct Spawner(mpsc::Sender<Job>);

#[derive(Debug)]
struct Job {
    command: Command,
    reply: oneshot::Sender<std::io::Result<Child>>,
}

impl Spawner {
    /// Must be called inside a runtime.
    pub(super) fn start() -> Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("daemon-spawner".to_owned())
            .spawn(move || {
                let _inside = runtime.enter();
                for mut job in jobs {
                    let _ = job.reply.send(job.command.spawn());
                }
            })
            .context("start the thread that starts daemons")?;
        Ok(Self(sender))
    }

    async fn spawn(&self, command: Command) -> Result<Child> {
        let (reply, answer) = oneshot::channel();
        let job = Job { command, reply };
        self.0.send(job).ok().context("the builder is stopping")?;
        Ok(answer.await.context("the builder is stopping")??)
    }
}

/// Killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    group: Option<Pid>,
    gone: watch::Receiver<Option<String>>,
    tail: Tail,
}

type Tail = Arc<Mutex<VecDeque<String>>>;

/// What goes in front of the daemon's own command line. It gets a network namespace, sees files as `view` says, and is in
/// the group whose door that is.
pub(super) fn wrapped(network: &Path, view: &View, door: Option<&Path>) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", network.display()));
    command.args(["--", "setpriv", "--pdeathsig", "KILL", "--"]);
    command.args(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    // Steps inherit both: the kernel shall take them before the server, and programs that close each file that could be
    // open shall not have a million to close. BuildKit raises the limit for itself.
    let limits = "echo 0 2>/dev/null >\"$1\"; shift; ulimit -S -n 1024; echo 500 2>/dev/null >/proc/self/oom_score_adj";
    command.args(["sh", "-c", &format!("{limits}; {}", view::SCRIPT), "sh"]);
    command.arg(door.unwrap_or(Path::new("/dev/null"))).args(view.words()).arg("--");
    command
}

impl Process {
    pub(super) async fn start(spawner: &Spawner, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = spawner.spawn(command).await.context("start buildkitd")?;
        let tail = Tail::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep_tail(stderr, tail.clone()));
        }
        let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let (sender, gone) = watch::channel(None);
        tokio::spawn(async move {
            let how = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            let _ = sender.send(Some(how));
        });
        Ok(Self { group, gone, tail })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.gone.borrow().is_none() && self.gone.has_changed().is_ok()
    }

    /// Waits for its end and tells how it was.
    pub(super) async fn gone(&self) -> String {
        let mut gone = self.gone.clone();
        let end = gone.wait_for(Option::is_some).await;
        end.ok().and_then(|how| how.clone()).unwrap_or_else(|| "unknown".to_owned())
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(group) = self.group
            && self.is_alive()
        {
            let _ = kill_process_group(group, signal);
        }
    }

    /// What it logged last.
    pub(super) fn last_words(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = tail.len().saturating_sub(5);
        tail.iter().skip(skip).cloned().collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn keep_tail(stderr: ChildStderr, tail: Tail) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let mut line = String::from_utf8_lossy(&line).into_owned();
        line.truncate(line.floor_char_boundary(400));
        tracing::trace!(target: "buildkitd", "{line}");
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == KEPT_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn the_end_and_the_last_words_of_a_daemon_are_known() {
        let spawner = Spawner::start().unwrap();
        let script = shell("echo no such device >&2; exit 3");
        let process = Process::start(&spawner, script).await.unwrap();
        assert!(process.gone().await.contains('3'));
        assert!(!process.is_alive());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(process.last_words(), "no such device");
    }

    #[tokio::test]
    async fn a_dropped_daemon_is_killed_with_its_children() {
        let spawner = Spawner::start().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = shell(&format!("sleep 100 & echo $! > {}; wait", file.display()));
        let process = Process::start(&spawner, script).await.unwrap();
        while std::fs::read_to_string(&file).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let pid = std::fs::read_to_string(&file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        drop(process);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let alive = std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z"));
        assert!(!alive);
    }
}
