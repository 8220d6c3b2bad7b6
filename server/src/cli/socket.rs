//! The operator's socket: `admin.sock` in the data folder, for its owner only (0600).
//!
//! One command a connection: a line of JSON each way.

use super::admin::{self, Admin};
use crate::app::App;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

const NAME: &str = "admin.sock";
const LONGEST_LINE: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Text(String),
    Error(String),
}

// A socket's address has at most 108 bytes; through the folder's descriptor it is always short.
fn address(data_dir: &Path) -> Result<(File, PathBuf)> {
    let dir = File::open(data_dir).context("opening the data folder")?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()));
    Ok((dir, path))
}

/// Listens until the process ends. The caller holds the lock, so a socket that is there is a dead one.
pub fn listen(app: &Arc<App>) -> Result<JoinHandle<()>> {
    let (_dir, path) = address(&app.config.data_dir)?;
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::internal("removing the old socket", e));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).context("opening the operator's socket")?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))
        .context("closing the operator's socket to others")?;
    let app = app.clone();
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(tokio::time::timeout(PATIENCE, answer(app.clone(), stream)))),
                Err(error) => {
                    tracing::warn!("the operator's socket: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }))
}

async fn answer(app: Arc<App>, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let read = BufReader::new(read.take(LONGEST_LINE)).read_line(&mut line).await;
    let result = match read.context("reading a command").and_then(|_| parse(&line)) {
        Ok(command) => admin::perform(&app, command).await,
        Err(error) => Err(error),
    };
    let reply = match result {
        Ok(text) => Reply::Text(text),
        Err(error) => Reply::Error(error.for_log()),
    };
    let mut line = serde_json::to_string(&reply).expect("a reply is plain data");
    line.push('\n');
    if let Err(error) = write.write_all(line.as_bytes()).await {
        tracing::warn!("a command of the operator was done, but its answer did not arrive: {error}");
    }
}

fn parse(line: &str) -> Result<Admin> {
    serde_json::from_str(line).context("the command is of another version of slipway")
}

/// What the running server answers; `None` when there is none.
pub async fn ask(config: &Config, command: &Admin) -> Result<Option<String>> {
    let Ok((_dir, path)) = address(&config.data_dir) else { return Ok(None) };
    let Ok(stream) = UnixStream::connect(&path).await else { return Ok(None) };
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_string(command).expect("a command is plain data");
    line.push('\n');
    write.write_all(line.as_bytes()).await.context("writing to the operator's socket")?;
    let mut reply = String::new();
    BufReader::new(read).read_line(&mut reply).await.context("reading from the operator's socket")?;
    match serde_json::from_str(&reply).context("the running server gave no answer")? {
        Reply::Text(text) => Ok(Some(text)),
        Reply::Error(text) => Err(Error::Invalid(text)),
    }
}
