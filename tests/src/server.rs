//! The real `slipway serve` on an empty folder and a free port.

mod memory;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    certificate::Certificate,
    daemon::{self, Daemon, DaemonSpec, End},
    paths,
    run::{Output, Run},
};

/// How long a debug build may take to start, with migrations, on a loaded machine.
const START: Duration = Duration::from_mins(1);
/// How long a graceful shutdown may take; running builds are handed back in it.
const SHUTDOWN: Duration = Duration::from_secs(40);

/// Settings of a server about to start; `Server::builder()` makes one.
#[derive(Debug)]
pub struct ServerBuilder {
    env: Vec<(OsString, OsString)>,
    port: u16,
    public_url: Option<String>,
    authority: Option<PathBuf>,
    /// An archive that the data folder is unpacked from.
    data: Option<PathBuf>,
    umask: Option<&'static str>,
}

/// A running server. `Drop` kills it, shows the end of its log if the test failed, and removes its folder.
#[derive(Debug)]
pub struct Server {
    daemon: Option<Daemon>,
    env: Vec<(OsString, OsString)>,
    folder: PathBuf,
    port: u16,
    base: String,
    authority: Option<PathBuf>,
    umask: Option<&'static str>,
}

impl ServerBuilder {
    /// One more setting, such as `("SLIPWAY_SIGN_IN_USERS", "mona")`.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A database of `Postgres` in the place of SQLite.
    #[must_use]
    pub fn database(self, url: impl Into<OsString>) -> Self {
        self.env("SLIPWAY_DATABASE_URL", url)
    }

    /// How the outside reaches the server, if not by `http://localhost:PORT`.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// TLS by this certificate, at `https://localhost:PORT`.
    #[must_use]
    pub fn tls(mut self, certificate: &Certificate) -> Self {
        self.authority = Some(certificate.authority());
        let url = format!("https://localhost:{}", self.port);
        self.env("SLIPWAY_TLS_CERTIFICATE", certificate.chain())
            .env("SLIPWAY_TLS_KEY", certificate.key())
            .public_url(url)
    }

    /// A port that was chosen before, since stored things name it.
    #[must_use]
    pub fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts on the data folder that an archive (`tar.gz`) holds as `data`.
    #[must_use]
    pub fn data(mut self, archive: &Path) -> Self {
        self.data = Some(archive.to_owned());
        self
    }

    /// The umask that the server is started with, such as `077`; else it is the test's.
    #[must_use]
    pub fn umask(mut self, umask: &'static str) -> Self {
        self.umask = Some(umask);
        self
    }

    /// The port that the server will have: for settings elsewhere that must name it first.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it and waits until it is ready; panics with its log if it does not become so.
    pub async fn start(self) -> Server {
        let folder = tempfile::Builder::new().prefix("slipway-").tempdir().expect("a temporary folder").keep();
        if let Some(archive) = &self.data {
            unpack(archive, "data", &folder).await;
        }
        let base = self.public_url.unwrap_or_else(|| format!("http://localhost:{}", self.port));
        let mut own: Vec<(OsString, OsString)> = vec![
            ("SLIPWAY_DATA_DIR".into(), folder.join("data").into()),
            ("SLIPWAY_LISTEN".into(), format!("127.0.0.1:{}", self.port).into()),
            ("SLIPWAY_PUBLIC_URL".into(), base.clone().into()),
            ("SLIPWAY_BUILDKIT_BIN_DIR".into(), paths::tools().into()),
            // Where a test turns the server's own builder off, builds wait for one that is elsewhere.
            ("SLIPWAY_BUILDER_TOKENS".into(), "a-token-that-no-builder-here-ever-brings".into()),
        ];
        own.extend(self.env);
        let authority = self.authority;
        let umask = self.umask;
        let mut server = Server { daemon: None, env: own, folder, port: self.port, base, authority, umask };
        server.start_again().await;
        server
    }
}

impl Server {
    pub fn builder() -> ServerBuilder {
        let port = paths::free_port();
        ServerBuilder { env: Vec::new(), port, public_url: None, authority: None, data: None, umask: None }
    }

    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// `http://localhost:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// `localhost:PORT`: what image names start with.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client that trusts the server's certificate, if it has one.
    pub fn http(&self) -> reqwest::ClientBuilder {
        let trusted = self.authority.iter().map(|file| fs::read(file).expect("the certificate is there"));
        let parse = |pem: Vec<u8>| reqwest::Certificate::from_pem(&pem).expect("openssl made it");
        trusted.map(parse).fold(reqwest::Client::builder().no_proxy(), reqwest::ClientBuilder::add_root_certificate)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// All that the server has logged, over its restarts too.
    pub fn log(&self) -> String {
        daemon::read_log(&self.folder)
    }

    pub fn pid(&self) -> i32 {
        self.running().pid()
    }

    /// SIGKILL, as a crash would be. The folder stays; `start_again` goes on with it.
    pub async fn kill(&mut self) {
        self.end(Signal::KILL).await;
    }

    /// SIGTERM, as an operator would; answers the exit status.
    pub async fn terminate(&mut self) -> i32 {
        self.end(Signal::TERM).await
    }

    /// Terminates and starts on the same folder and port.
    pub async fn restart(&mut self) {
        self.terminate().await;
        self.start_again().await;
    }

    /// Starts on the same folder and port, after `kill` or `terminate`.
    pub async fn start_again(&mut self) {
        assert!(self.daemon.is_none(), "the server is running already");
        let own = paths::own_program("slipway");
        let (program, args) = match self.umask {
            None => (own, vec!["serve".into()]),
            Some(umask) => {
                let script = format!("umask {umask}; exec \"$0\" serve");
                ("sh".into(), vec!["-c".into(), script.into(), own.into()])
            }
        };
        self.daemon = Some(Daemon::spawn(DaemonSpec {
            program,
            args,
            env: self.env.clone(),
            folder: self.folder.clone(),
            end: End::Kill,
        }));
        self.wait_until_ready().await;
    }

    /// One more setting from the next start on.
    pub fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.into(), value.into()));
    }

    /// `slipway admin ARGS`, with the server's settings; panics unless it succeeds, and answers what it printed.
    pub async fn admin(&self, args: &[&str]) -> String {
        let words = [&["admin"], args].concat();
        self.command(&words).await.ok().text().to_owned()
    }

    /// `slipway ARGS`, with the server's settings, such as `doctor` or `backup`.
    pub async fn command(&self, args: &[&str]) -> Output {
        let run = Run::new(paths::own_program("slipway")).args(args.iter().copied());
        let run = self.env.iter().fold(run, |run, (name, value)| run.env(name, value));
        run.folder(&self.folder).output().await
    }

    fn running(&self) -> &Daemon {
        self.daemon.as_ref().expect("the server is running")
    }

    async fn end(&mut self, signal: Signal) -> i32 {
        let mut daemon = self.daemon.take().expect("the server is running");
        daemon.signal(signal);
        let status = daemon.ended(SHUTDOWN).await;
        daemon.stop_and_keep_folder();
        status
    }

    async fn wait_until_ready(&self) {
        // The public address may be one that leads nowhere here; a certificate is for `localhost`.
        let here = if self.authority.is_some() { "https://localhost" } else { "http://127.0.0.1" };
        let ready = format!("{here}:{}/readyz", self.port);
        let http = self.http().build().expect("the client has no other settings");
        let started = Instant::now();
        while started.elapsed() < START {
            let answer = http.get(&ready).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(self.running().is_running(), "the server ended at its start:\n{}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the server is not ready after {START:?}:\n{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log, last lines\n{}", last_lines(&self.log(), 80));
        }
        match self.daemon.take() {
            Some(daemon) => drop(daemon),
            None if env::var_os("KEEP").is_some() => {}
            None => remove(&self.folder),
        }
    }
}

/// Takes one folder out of an archive.
pub async fn unpack(archive: &Path, name: &str, into: &Path) {
    Run::new("tar")
        .args(["-xzf".into(), archive.as_os_str().to_owned(), "-C".into(), into.into(), name.into()])
        .output()
        .await
        .ok();
}

fn remove(folder: &Path) {
    fs::remove_dir_all(folder).ok();
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
