//! `slipway-builder` as a process of its own.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    Server,
    daemon::{Daemon, DaemonSpec, End},
    paths,
};

/// A running builder; it and its BuildKit die with it.
#[derive(Debug)]
pub struct BuilderProgram {
    daemon: Daemon,
}

impl BuilderProgram {
    /// `token` is one of the server's `SLIPWAY_BUILDER_TOKENS`.
    pub fn start(server: &Server, token: &str) -> Self {
        Self::start_with(server, token, &[])
    }

    /// With more settings, such as `("SLIPWAY_BUILDER_IDLE_SECS", "1")`.
    pub fn start_with(server: &Server, token: &str, more: &[(&str, &str)]) -> Self {
        let folder = folder();
        let env = environment(server, token, &folder, more);
        let program = paths::own_program("slipway-builder");
        let daemon = Daemon::spawn(DaemonSpec { program, args: Vec::new(), env, folder, end: End::Terminate });
        Self { daemon }
    }

    /// As a user without rights.
    pub fn start_as_nobody(server: &Server, token: &str) -> Self {
        const NOBODY: u32 = 65534;
        let folder = folder();
        chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may");
        let program = folder.join("slipway-builder");
        let ours = paths::own_program("slipway-builder");
        // Whoever runs it must be able to reach it.
        fs::hard_link(&ours, &program).or_else(|_| fs::copy(&ours, &program).map(drop)).expect("it can be copied");
        let env = environment(server, token, &folder, &[]);
        let args = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"].map(Into::into);
        let args = args.into_iter().chain([program.into()]).collect();
        let program = paths::tool("setpriv");
        let daemon = Daemon::spawn(DaemonSpec { program, args, env, folder, end: End::Terminate });
        Self { daemon }
    }

    /// SIGKILL, as a crash would be.
    pub async fn kill(&mut self) {
        self.daemon.signal(Signal::KILL);
        self.daemon.ended(Duration::from_secs(10)).await;
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Where its daemons and checkouts are.
    pub fn folder(&self) -> &Path {
        self.daemon.folder()
    }
}

fn folder() -> PathBuf {
    tempfile::Builder::new().prefix("slipway-builder-").tempdir().expect("a temporary folder").keep()
}

fn environment(server: &Server, token: &str, folder: &Path, more: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let own: [(&str, OsString); 5] = [
        ("SLIPWAY_BUILDER_SERVER", format!("http://127.0.0.1:{}", server.port()).into()),
        ("SLIPWAY_BUILDER_TOKEN", token.into()),
        ("SLIPWAY_BUILDER_WORK_DIR", folder.join("work").into()),
        ("SLIPWAY_BUILDER_BIN_DIR", paths::tools().into()),
        ("SLIPWAY_BUILDER_MIN_FREE_GIB", "1".into()),
    ];
    let more = more.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    own.into_iter().map(|(name, value)| (name.into(), value)).chain(more).collect()
}
