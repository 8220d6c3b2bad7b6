//! One private Docker engine for the whole test process, and a client with logins of its own for each test.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{sync::OnceCell, time::sleep};

use crate::{
    daemon::{Daemon, DaemonSpec, End},
    images,
    paths::tool,
    run::{Output, Run},
};

/// A `docker` client; its logins are its own, its engine is shared, so image names must differ between tests.
///
/// The engine has no bridge and no firewall rules: run containers with `--net none`.
/// Registries on localhost may speak plain http.
#[derive(Debug)]
pub struct Docker {
    home: TempDir,
    socket: String,
}

#[derive(Debug)]
struct Engine {
    daemon: Daemon,
    socket: PathBuf,
}

static SHARED: OnceCell<Engine> = OnceCell::const_new();

impl Docker {
    pub async fn start() -> Self {
        let engine = SHARED.get_or_init(Engine::start).await;
        let socket = format!("unix://{}", engine.socket.display());
        Self { home: tempfile::tempdir().expect("a temporary folder"), socket }
    }

    /// `docker ARGS`.
    pub async fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().await
    }

    /// `docker login`, the password by standard input.
    pub async fn login(&self, host: &str, user: &str, password: &str) -> Output {
        let run = self.command(&["login", "--username", user, "--password-stdin", host]);
        run.input(password).output().await
    }

    /// Makes an image of the machine's static busybox under this name, without any network.
    pub async fn import_busybox(&self, name: &str) {
        let tar = images::busybox_tar(self.home.path()).await;
        self.import(&tar, name).await;
    }

    /// Makes an image of a root file system, such as `images::debian_tar()`; push it with `run(&["push", name])`.
    ///
    /// `crane append` would leave the architecture out, and BuildKit refuses such a base.
    pub async fn import(&self, tar: &Path, name: &str) {
        let tar = tar.to_string_lossy();
        self.run(&["import", "--change", "CMD [\"/bin/sh\"]", &tar, name]).await.ok();
    }

    fn command(&self, args: &[&str]) -> Run {
        Run::new(tool("docker"))
            .args(args.iter().copied())
            .env("DOCKER_HOST", &self.socket)
            .env("DOCKER_CONFIG", self.home.path())
            .env("HOME", self.home.path())
    }
}

impl Engine {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("slipway-docker-").tempdir().expect("a temporary folder").keep();
        let socket = folder.join("docker.sock");
        std::fs::write(folder.join("daemon.json"), "{}").expect("the folder is ours");
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        // In process and mount namespaces of its own: killing `unshare` takes the engine, its containerd,
        // its containers and their mounts.
        let words = [
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            &tool("dockerd").to_string_lossy(),
            "--config-file",
            &path("daemon.json"),
            "--data-root",
            &path("root"),
            "--exec-root",
            &path("exec"),
            "--pidfile",
            &path("pid"),
            "--host",
            &format!("unix://{}", socket.display()),
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
        ]
        .map(Into::into);
        let daemon = Daemon::spawn(DaemonSpec {
            program: "unshare".into(),
            args: words.into(),
            env: Vec::new(),
            folder,
            end: End::Kill,
        });
        let engine = Self { daemon, socket };
        engine.wait_until_ready().await;
        engine
    }

    async fn wait_until_ready(&self) {
        let host = format!("unix://{}", self.socket.display());
        for _ in 0..300 {
            if self.socket.exists() {
                let ask = Run::new(tool("docker")).args(["--host", &host, "version"]);
                if ask.output().await.status == 0 {
                    return;
                }
            }
            assert!(self.daemon.is_running(), "dockerd ended:\n{}", self.daemon.log());
            sleep(Duration::from_millis(100)).await;
        }
        panic!("dockerd is not ready after 30 s:\n{}", self.daemon.log());
    }
}
