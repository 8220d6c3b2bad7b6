//! A buildkitd of its own for one test, and the directories it builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use slipway_buildkit::{Addr, BuildError, BuildRequest, Client, Event, Export, LocalDir, Outcome, connect, solve};
use tempfile::TempDir;

/// Enough of a system to run shell commands.
pub(crate) const BASE: &str =
    "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\",\"--install\",\"-s\",\"/bin\"]\n";

/// A daemon that is killed, with all it runs, when the test ends or dies.
pub(crate) struct Daemon {
    pub(crate) client: Client,
    pub(crate) tools: PathBuf,
    process: Process,
    state: TempDir,
}

struct Process(Child);

/// A directory to build.
pub(crate) struct Tree(TempDir);

/// Where `script/bootstrap` puts buildkitd and runc.
fn tools() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache/slipway");
    let tools = std::env::var_os("SLIPWAY_CACHE").map_or_else(home, PathBuf::from).join("tools/bin");
    assert!(tools.join("buildkitd").exists(), "buildkitd is not in {}: run script/bootstrap", tools.display());
    tools
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        let tools = tools();
        let state = TempDir::with_prefix("buildkit-test-").unwrap();
        let socket = state.path().join("buildkitd.sock");
        // A process namespace of its own: the daemon takes its RUN steps along when it is killed.
        let process = Process::start(
            Command::new("setpriv")
                .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
                .arg(tools.join("buildkitd"))
                .args(["--oci-worker=true", "--containerd-worker=false", "--root"])
                .arg(state.path().join("root"))
                // Its default is one path for all daemons of a machine, and the second one does not start.
                .arg("--otel-socket-path")
                .arg(state.path().join("otel.sock"))
                .arg("--addr")
                .arg(format!("unix://{}", socket.display()))
                .env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default()))
                .env("BUILDKIT_STEP_LOG_MAX_SIZE", "-1")
                .env("BUILDKIT_STEP_LOG_MAX_SPEED", "-1")
                .stderr(fs::File::create(state.path().join("log")).unwrap())
                .stdin(Stdio::null()),
        );
        for _ in 0..300 {
            if let Ok(client) = connect(&Addr::Unix(socket.clone())).await {
                return Self { client, tools, process, state };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("buildkitd did not start: {}", fs::read_to_string(state.path().join("log")).unwrap());
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state.path().join("buildkitd.sock")
    }

    /// SIGKILL for the daemon and all its steps.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Builds a tree to the end and gives its events, too.
    pub(crate) async fn build(&self, request: BuildRequest) -> (Vec<Event>, Result<Outcome, BuildError>) {
        let mut build = solve(&self.client, request);
        let mut events = Vec::new();
        while let Some(event) = build.events.next().await {
            events.push(event);
        }
        (events, build.solving.await)
    }

    /// How a build of this Dockerfile fails, with busybox at hand.
    pub(crate) async fn failure(&self, dockerfile: &str) -> BuildError {
        let tree = Tree::with_dockerfile(dockerfile);
        self.build(tree.request()).await.1.expect_err("the build should fail")
    }
}

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn kill(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Tree {
    pub(crate) fn with_dockerfile(dockerfile: &str) -> Self {
        let tree = Self(TempDir::new().unwrap());
        fs::copy("/bin/busybox", tree.path().join("busybox")).expect("busybox-static is installed");
        tree.write("Dockerfile", dockerfile);
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn request(&self) -> BuildRequest {
        let dir = LocalDir::open(self.path()).unwrap();
        BuildRequest {
            local_dirs: [("context".to_owned(), dir.clone()), ("dockerfile".to_owned(), dir)].into(),
            shared_key: "test".to_owned(),
            ..BuildRequest::default()
        }
    }

    pub(crate) fn image_request(&self, name: &str) -> BuildRequest {
        let attrs = [("name".to_owned(), name.to_owned())].into();
        BuildRequest { exports: vec![Export { kind: "image".to_owned(), attrs }], ..self.request() }
    }
}

/// The output of all steps.
pub(crate) fn output(events: &[Event]) -> String {
    let bytes = events.iter().filter_map(|event| match event {
        Event::StepLog { bytes, .. } => Some(bytes.as_ref()),
        _ => None,
    });
    String::from_utf8(bytes.collect::<Vec<_>>().concat()).unwrap()
}
