//! A bare buildkitd with `buildctl` beside it: the yardstick for our own client.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    daemon::{Daemon, DaemonSpec, End},
    paths::{tool, tools},
    run::{Output, Run},
};

/// A running buildkitd on a unix socket. Its RUN steps share the machine's network.
#[derive(Debug)]
pub struct Buildkit {
    daemon: Daemon,
    folder: PathBuf,
}

impl Buildkit {
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("slipway-buildkit-").tempdir().expect("a temporary folder").keep();
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let address = format!("unix://{}", path("buildkitd.sock"));
        // Without a process namespace, a RUN step would survive its killed daemon.
        let words = [
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            &tool("buildkitd").to_string_lossy(),
            "--config",
            "/dev/null",
            "--root",
            &path("root"),
            "--addr",
            &address,
            "--oci-worker=true",
            "--containerd-worker=false",
            "--oci-worker-binary",
            &tools().join("runc").to_string_lossy(),
        ]
        .map(Into::into);
        let daemon = Daemon::spawn(DaemonSpec {
            program: "unshare".into(),
            args: words.into(),
            env: vec![
                ("BUILDKIT_STEP_LOG_MAX_SIZE".into(), "-1".into()),
                ("BUILDKIT_STEP_LOG_MAX_SPEED".into(), "-1".into()),
            ],
            folder: folder.clone(),
            end: End::Kill,
        });
        let buildkit = Self { daemon, folder };
        buildkit.wait_until_ready().await;
        buildkit
    }

    /// The socket of the daemon.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("buildkitd.sock")
    }

    /// `unix:///…/buildkitd.sock`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub fn pid(&self) -> i32 {
        self.daemon.pid()
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// `buildctl ARGS` against this daemon.
    pub async fn buildctl(&self, args: &[&str]) -> Output {
        Self::buildctl_at(&self.address(), args).await
    }

    /// `buildctl ARGS` against any daemon.
    pub async fn buildctl_at(address: &str, args: &[&str]) -> Output {
        let run = Run::new(tool("buildctl")).args(["--addr", address]);
        run.args(args.iter().copied()).output().await
    }

    /// Builds a folder with its Dockerfile; `more` are options such as `--output` or `--opt`.
    pub async fn build(&self, context: &Path, more: &[&str]) -> Output {
        let context_dir = format!("context={}", context.display());
        let dockerfile_dir = format!("dockerfile={}", context.display());
        let start = [
            "build",
            "--progress=plain",
            "--frontend",
            "dockerfile.v0",
            "--local",
            &context_dir,
            "--local",
            &dockerfile_dir,
        ];
        self.buildctl(&[&start, more].concat()).await
    }

    async fn wait_until_ready(&self) {
        for _ in 0..300 {
            if self.socket().exists() && self.buildctl(&["debug", "workers"]).await.status == 0 {
                return;
            }
            assert!(self.daemon.is_running(), "buildkitd ended:\n{}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
        panic!("buildkitd is not ready after 15 s:\n{}", self.log());
    }
}
