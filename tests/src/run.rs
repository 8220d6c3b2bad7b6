//! Runs a program to its end, with a time limit, and keeps what it said.

use std::{ffi::OsString, fmt, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::paths;

/// A program about to run.
#[derive(Clone, Debug)]
pub struct Run {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    input: Vec<u8>,
    limit: Duration,
}

/// What a program said, and its exit code (-1 if a signal or the time limit ended it).
#[derive(Clone, Debug)]
pub struct Output {
    pub command: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            input: Vec::new(),
            limit: Duration::from_mins(2),
        }
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// What the program reads from its standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Program and arguments, for a caller that starts it as a daemon.
    pub(crate) fn into_words(self) -> Vec<OsString> {
        let mut words = vec![self.program.into_os_string()];
        words.extend(self.args);
        words
    }

    /// Runs it; the program and its children are killed when the time is up or the test ends.
    pub async fn output(self) -> Output {
        let words: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        let command = format!("{} {}", self.program.display(), words.join(" "));
        let mut process = Command::new(&self.program);
        process
            .args(&self.args)
            .env_clear()
            .envs(paths::environment())
            .envs(self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = &self.folder {
            process.current_dir(folder);
        }
        let mut child = process.spawn().unwrap_or_else(|error| panic!("cannot start {command}: {error}"));
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let input = self.input;
        let feed = tokio::spawn(async move {
            // A program that does not read its input is no fault of the test.
            stdin.write_all(&input).await.ok();
        });
        let finished = timeout(self.limit, child.wait_with_output()).await;
        feed.abort();
        let Ok(finished) = finished else {
            if let Some(group) = group {
                kill_process_group(group, Signal::KILL).ok();
            }
            panic!("{command} did not end within {:?}", self.limit);
        };
        let finished = finished.unwrap_or_else(|error| panic!("{command}: {error}"));
        Output {
            command,
            status: finished.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&finished.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&finished.stderr).into_owned(),
        }
    }
}

impl Output {
    /// The same output; panics with all that was said unless the program succeeded.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "it is an assertion first")]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 0, "should succeed: {self}");
        self
    }

    /// The same output; panics with all that was said unless the program failed by itself.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "it is an assertion first")]
    pub fn fails(self) -> Self {
        assert!(self.status > 0, "should fail: {self}");
        self
    }

    /// Standard output without the white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "{command}\nexit {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
