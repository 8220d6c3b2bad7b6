//! Local directories, sent as the daemon asks for them: the sending side of BuildKit's file transfer.
//!
//! A directory is opened once; all below it is reached through that handle, so no link and no race leads out of it.
//! What cannot be read or changed meanwhile fails the transfer, and with it the build.

mod effort;
mod failure;
mod follow;
mod glob;
mod ignore;
mod metadata;
mod pattern;
mod reader;
mod send;
mod stat;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::moby::filesync::packet::file_sync_server::FileSync as FileSyncService;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use failure::Failure;
pub use ignore::IgnoreLine;

/// A directory that the daemon may read, open since it was named.
#[derive(Debug, Clone)]
pub struct LocalDir {
    dir: Arc<Dir>,
    absent: Absent,
    /// How messages name it.
    called: Arc<Path>,
}

/// Paths of a directory that have no content here, each with the sentence that says why.
type Absent = Arc<BTreeMap<String, String>>;

impl LocalDir {
    /// Opens a directory whose path the caller trusts: links in it are followed.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self::from)
    }

    /// Opens a directory below this one, by a path nobody trusts: an absolute path, `..` and links are refused as
    /// soon as they lead outside.
    pub fn open_below(&self, path: impl AsRef<Path>) -> io::Result<Self> {
        self.dir.open_dir(path).map(Self::from)
    }

    /// The same directory, some of whose files or directories are not really here: a build that asks for one of them
    /// fails with its sentence, and one that asks for none goes on.
    #[must_use]
    pub fn without(self, absent: BTreeMap<String, String>) -> Self {
        Self { absent: Arc::new(absent), ..self }
    }

    /// The same directory, whose files messages name below this path.
    #[must_use]
    pub fn called(self, path: &Path) -> Self {
        Self { called: Arc::from(path), ..self }
    }

    /// Whether there is something at a path below; links that lead out lead to nothing.
    pub fn holds(&self, path: &str) -> bool {
        self.dir.symlink_metadata(path).is_ok()
    }

    /// The line of an ignore file in this directory that keeps a path out of builds, if one does.
    pub fn left_out(&self, ignore_file: &str, path: &str) -> Option<IgnoreLine> {
        ignore::left_out(&self.dir, ignore_file, path)
    }
}

impl From<Dir> for LocalDir {
    fn from(dir: Dir) -> Self {
        Self { dir: Arc::new(dir), absent: Absent::default(), called: Arc::from(Path::new("")) }
    }
}

/// How much one directory may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files, directories and links; each costs memory here and at the daemon.
    pub entries: u64,
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: u64::MAX }
    }
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Files, directories and links that were listed.
    pub entries: u64,
    /// Files whose content was asked for.
    pub files: u64,
    pub bytes: u64,
}

/// The service that sends local directories.
#[derive(Debug, Clone)]
pub struct FileSync {
    dirs: Arc<BTreeMap<String, LocalDir>>,
    limits: Limits,
    progress: Arc<Progress>,
}

/// Shared by all transfers of one build.
#[derive(Debug, Default)]
struct Progress {
    entries: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    failure: OnceLock<String>,
    /// What is to be said of the first line of an ignore file that is no pattern.
    wrong_line: OnceLock<String>,
}

impl FileSync {
    pub fn new(dirs: BTreeMap<String, LocalDir>, limits: Limits) -> Self {
        Self { dirs: Arc::new(dirs), limits, progress: Arc::default() }
    }

    pub fn sent(&self) -> Sent {
        let Progress { entries, files, bytes, .. } = &*self.progress;
        Sent { entries: entries.load(Relaxed), files: files.load(Relaxed), bytes: bytes.load(Relaxed) }
    }

    /// The first line of an ignore file that is no pattern, in words, if there is one.
    pub(crate) fn wrong_line(&self) -> Option<String> {
        self.progress.wrong_line.get().cloned()
    }

    /// Why a transfer failed at this end, if one did.
    pub fn failure(&self) -> Option<String> {
        self.progress.failure.get().cloned()
    }
}

#[tonic::async_trait]
impl FileSyncService for FileSync {
    type DiffCopyStream = ReceiverStream<Result<Packet, Status>>;
    type TarStreamStream = ReceiverStream<Result<Packet, Status>>;

    async fn diff_copy(&self, call: Request<Streaming<Packet>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        if let Some(failure) = self.failure() {
            return Err(Status::failed_precondition(failure));
        }
        let asked = metadata::Asked::read(call.metadata())?;
        tracing::debug!(dir = %asked.dir, exclude = asked.exclude.len(), "the daemon reads a local directory");
        let dir = self.dirs.get(&asked.dir).cloned();
        let dir = dir.ok_or_else(|| Status::not_found(format!("no directory `{}` is offered", asked.dir)))?;
        let transfer = send::Transfer::new(dir, asked, self.limits, Arc::clone(&self.progress));
        Ok(Response::new(transfer.start(call.into_inner())))
    }

    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("directories are sent by `DiffCopy` only"))
    }
}

impl Progress {
    /// Keeps the first failure: later ones follow from it.
    fn fail(&self, failure: &Failure) {
        let _ = self.failure.set(failure.to_string());
    }
}
