//! The stock client programs, each with a home, logins and image storage of its own.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    paths::tool,
    run::{Output, Run},
};

/// podman, skopeo, crane, cosign and others. Clones share home and logins.
///
/// All of them may speak plain http to localhost; podman, buildah and skopeo must be told so
/// (`--tls-verify=false`), helm and oras too (`--plain-http`).
#[derive(Clone, Debug)]
pub struct Client {
    name: String,
    program: PathBuf,
    first: Vec<OsString>,
    home: Arc<TempDir>,
}

impl Client {
    /// Any program of the machine or of `script/tools`.
    pub fn new(name: &str) -> Self {
        let home = tempfile::Builder::new().prefix("slipway-client-").tempdir().expect("a temporary folder");
        let config = home.path().join(".config/containers");
        // podman wants the login file to exist.
        fs::create_dir_all(home.path().join(".docker")).expect("the home is ours");
        fs::write(home.path().join(".docker/config.json"), "{}").expect("the home is ours");
        let policy = json!({ "default": [{ "type": "insecureAcceptAnything" }] });
        fs::create_dir_all(&config).expect("the home is ours");
        fs::write(config.join("policy.json"), policy.to_string()).expect("the home is ours");
        fs::write(config.join("registries.conf"), "unqualified-search-registries = []\n").expect("the home is ours");
        // podman would raise these limits, which a machine without CAP_SYS_RESOURCE refuses.
        let containers = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        fs::write(config.join("containers.conf"), containers).expect("the home is ours");
        Self { name: name.into(), program: tool(name), first: Vec::new(), home: Arc::new(home) }
    }

    /// podman with storage of its own. Run containers with `--network=none`.
    pub fn podman() -> Self {
        Self::with_storage("podman").first(&["--cgroup-manager=cgroupfs", "--events-backend=file"])
    }

    pub fn buildah() -> Self {
        Self::with_storage("buildah")
    }

    pub fn skopeo() -> Self {
        Self::new("skopeo")
    }

    pub fn crane() -> Self {
        Self::new("crane")
    }

    /// cosign 3.
    pub fn cosign() -> Self {
        Self::new("cosign")
    }

    /// cosign 2, which many pipelines still have.
    pub fn cosign2() -> Self {
        Self::new("cosign2")
    }

    pub fn oras() -> Self {
        Self::new("oras")
    }

    pub fn regctl() -> Self {
        Self::new("regctl")
    }

    pub fn helm() -> Self {
        Self::new("helm")
    }

    pub fn git() -> Self {
        let git = Self::new("git");
        let config = "[user]\nname = Mona\nemail = mona@example.com\n[init]\ndefaultBranch = main\n";
        fs::write(git.home().join(".gitconfig"), config).expect("the home is ours");
        git
    }

    /// `PROGRAM ARGS`, in the client's home.
    pub async fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().await
    }

    /// The same for a caller that wants to add input, environment, a folder or a time limit.
    pub fn command(&self, args: &[&str]) -> Run {
        let home = self.home();
        Run::new(&self.program)
            .args(self.first.iter().cloned())
            .args(args.iter().copied())
            .folder(home)
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("DOCKER_CONFIG", home.join(".docker"))
            .env("REGISTRY_AUTH_FILE", home.join(".docker/config.json"))
            .env("CONTAINERS_CONF", home.join(".config/containers/containers.conf"))
            .env("HELM_REGISTRY_CONFIG", home.join(".docker/config.json"))
            .env("COSIGN_PASSWORD", "")
            .env("COSIGN_YES", "true")
            .env("GIT_TERMINAL_PROMPT", "0")
    }

    /// Writes the login file that all of these programs read, without asking the registry.
    pub fn log_in(&self, host: &str, user: &str, password: &str) {
        let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let config = json!({ "auths": { host: { "auth": auth } } });
        let file = self.home().join(".docker/config.json");
        fs::write(file, config.to_string()).expect("the home is ours");
    }

    /// The client's home, and the folder that it runs in.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn first(mut self, words: &[&str]) -> Self {
        self.first.extend(words.iter().map(Into::into));
        self
    }

    /// vfs: slower than overlay for large images, but it leaves no mount behind when it is killed.
    fn with_storage(name: &str) -> Self {
        let client = Self::new(name);
        let home = client.home().to_path_buf();
        let path = |folder: &str| home.join(folder).to_string_lossy().into_owned();
        client.first(&["--root", &path("storage"), "--runroot", &path("run"), "--storage-driver=vfs"])
    }
}
