//! A program that runs in the background of a test and never outlives it.
//!
//! A small shell (`reaper.sh`) is its parent. The test process holds the shell's standard input; when that
//! closes, by `Drop`, a panic, Ctrl-C or SIGKILL, the shell ends the program and removes its folder.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::watch, time::timeout};

use crate::paths;

/// How a daemon is asked to end, before it is killed ten seconds later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Terminate,
    Quit,
    Kill,
}

/// What to start, and the folder that goes away with it.
#[derive(Debug)]
pub struct DaemonSpec {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    /// Removed at the end; the log is its file `log`.
    pub folder: PathBuf,
    pub end: End,
}

#[derive(Debug)]
pub struct Daemon {
    reaper: Child,
    guard: Option<ChildStdin>,
    pid: Pid,
    exit: watch::Receiver<Option<i32>>,
    folder: PathBuf,
}

impl Daemon {
    pub fn spawn(spec: DaemonSpec) -> Self {
        let DaemonSpec { program, args, env, folder, end } = spec;
        fs::remove_file(folder.join(".keep")).ok();
        let signal = match end {
            End::Terminate => "TERM",
            End::Quit => "QUIT",
            End::Kill => "KILL",
        };
        let mut reaper = Command::new("bash")
            .args(["-c", include_str!("reaper.sh"), "reaper", signal])
            .args([folder.join("log"), folder.clone(), program])
            .args(args)
            .env_clear()
            .envs(paths::environment())
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in the terminal reaches the test process only; the rest follows from its end.
            .process_group(0)
            .spawn()
            .expect("bash is installed");
        let guard = reaper.stdin.take();
        let mut said = BufReader::new(reaper.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the reaper says the pid");
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        let (tell, exit) = watch::channel(None);
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let status = line.strip_prefix("exit ").and_then(|text| text.parse().ok());
                tell.send_replace(status);
            }
        });
        let pid = pid.expect("the reaper's first line is a pid");
        Self { reaper, guard, pid, exit, folder }
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    pub fn signal(&self, signal: Signal) {
        if self.is_running() {
            kill_process(self.pid, signal).ok();
        }
    }

    /// Waits for the end and answers the exit status as a shell counts it: 128 + signal if killed.
    pub async fn ended(&mut self, limit: Duration) -> i32 {
        let wait = timeout(limit, self.exit.wait_for(Option::is_some)).await;
        let seen = wait.map(|seen| seen.map(|status| status.expect("waited for a status")));
        let Ok(seen) = seen else { panic!("still running after {limit:?}:\n{}", self.log()) };
        seen.unwrap_or_else(|_closed| panic!("the reaper of {} is gone", self.folder.display()))
    }

    /// Ends it but leaves the folder, for another daemon to start on.
    pub fn stop_and_keep_folder(self) {
        fs::write(self.folder.join(".keep"), "").expect("the folder is ours");
    }

    pub fn log(&self) -> String {
        read_log(&self.folder)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// All that a daemon in this folder has said so far.
pub(crate) fn read_log(folder: &Path) -> String {
    let bytes = fs::read(folder.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() && env::var_os("KEEP").is_some() {
            eprintln!("kept: {}", self.folder.display());
            fs::write(self.folder.join(".keep"), "").ok();
        }
        drop(self.guard.take());
        self.reaper.wait().ok();
    }
}
