//! One PostgreSQL cluster for the whole test process, and a fresh database for each test.

use std::{fs, path::Path, time::Duration};

use tokio::{sync::OnceCell, time::sleep};
use uuid::Uuid;

use crate::{
    daemon::{Daemon, DaemonSpec, End},
    paths::{free_port, tool},
    run::Run,
};

/// The shared cluster: durability is off, so a database costs a few milliseconds.
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
    port: u16,
}

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

impl Postgres {
    /// Makes an empty database and answers its URL.
    pub async fn database() -> String {
        let cluster = SHARED.get_or_init(Self::start).await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
        let url = cluster.url("postgres");
        Run::new(tool("psql")).args(["-qX", "-c", &create, &url]).output().await.ok();
        cluster.url(&name)
    }

    /// Runs one statement and answers its rows, columns separated by `|`.
    pub async fn query(url: &str, statement: &str) -> String {
        let run = Run::new(tool("psql")).args(["-qXAt", "-c", statement, url]);
        run.output().await.ok().text().to_owned()
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://slipway@127.0.0.1:{}/{database}", self.port)
    }

    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("slipway-postgres-").tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let owner = unprivileged_user();
        if let Some((user, _group)) = &owner {
            Run::new("chown").args([user.as_str(), &folder.path().to_string_lossy()]).output().await.ok();
        }
        as_user(owner.as_ref(), "initdb", &data)
            .args(["--username=slipway", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .folder("/")
            .output()
            .await
            .ok();
        let port = free_port();
        let mut server = as_user(owner.as_ref(), "postgres", &data).into_words();
        let options = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
            "max_connections=300".into(),
            "shared_buffers=64MB".into(),
            "fsync=off".into(),
            "synchronous_commit=off".into(),
            "full_page_writes=off".into(),
        ];
        server.extend(options.into_iter().flat_map(|option| ["-c".into(), option.into()]));
        let daemon = Daemon::spawn(DaemonSpec {
            program: server.remove(0).into(),
            args: server,
            env: Vec::new(),
            folder: folder.keep(),
            // Immediate shutdown: SIGKILL would leave its shared memory behind.
            end: End::Quit,
        });
        let cluster = Self { daemon, port };
        cluster.wait_until_ready().await;
        cluster
    }

    async fn wait_until_ready(&self) {
        let port = self.port.to_string();
        for _ in 0..300 {
            let ask = Run::new(tool("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]);
            if ask.output().await.status == 0 {
                return;
            }
            assert!(self.daemon.is_running(), "PostgreSQL ended:\n{}", self.daemon.log());
            sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL is not ready after 15 s:\n{}", self.daemon.log());
    }
}

/// User and group for PostgreSQL, which refuses to run as root: its package's user, or nobody.
fn unprivileged_user() -> Option<(String, String)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut fields = users
        .lines()
        .find_map(|line| line.strip_prefix("postgres:"))
        .into_iter()
        .flat_map(|rest| rest.split(':').skip(1));
    let mut id = || fields.next().unwrap_or("65534").to_owned();
    Some((id(), id()))
}

/// A program of PostgreSQL on the data folder, as that user.
fn as_user(user: Option<&(String, String)>, program: &str, data: &Path) -> Run {
    let program = tool(program);
    let run = match user {
        None => Run::new(program),
        Some((user, group)) => Run::new("setpriv")
            .args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into()])
            .args([program]),
    };
    run.args(["-D".into(), data.as_os_str().to_owned()])
}
