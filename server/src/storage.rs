//! Bytes: blobs and sealed logs, by keys that hold no names.
//!
//! ```text
//! blobs/0a/0a3f…   one blob; its key is a UUID made when the upload starts, never a digest
//! logs/0a/0a3f…    one sealed build log
//! ```
//! Nothing is renamed or copied at the end of an upload.

mod fs;

pub use fs::{ByteStream, FileSystem, Writer};

use crate::error::Result;
use std::path::Path;
use uuid::Uuid;

/// The driver; another one would stand beside `fs`.
pub enum Storage {
    FileSystem(FileSystem),
}

/// A new key, `blobs/0a/0a3f…`; `kind` is `blobs` or `logs`.
pub fn new_key(kind: &str) -> String {
    // v4: the first byte spreads over the folders.
    let id = Uuid::new_v4().simple().to_string();
    format!("{kind}/{}/{id}", &id[..2])
}

impl Storage {
    pub fn file_system(root: &Path) -> Result<Self> {
        Ok(Self::FileSystem(FileSystem::open(root)?))
    }

    /// Starts a new object (`offset` 0, a new hash), or goes on with one at `offset`: what lies behind it is cut off,
    /// and `hash` covers what lies before.
    pub fn write(&self, key: &str, offset: u64, hash: sha2::Sha256) -> Writer {
        match self {
            Self::FileSystem(fs) => fs.write(key, offset, hash),
        }
    }

    /// Stores a small object in one go, durably.
    pub async fn put(&self, key: &str, bytes: bytes::Bytes) -> Result<()> {
        match self {
            Self::FileSystem(fs) => fs.put(key, bytes).await,
        }
    }

    /// A whole small object.
    pub async fn get(&self, key: &str) -> Result<bytes::Bytes> {
        match self {
            Self::FileSystem(fs) => fs.get(key).await,
        }
    }

    /// Bytes `start..start + length` as a stream of chunks of at most 1 MiB; `None` when the object is absent.
    pub async fn read(&self, key: &str, start: u64, length: u64) -> Result<Option<fs::ByteStream>> {
        match self {
            Self::FileSystem(fs) => fs.read(key, start, length).await,
        }
    }

    /// Length of an object; `None` when it is absent.
    pub async fn length(&self, key: &str) -> Result<Option<u64>> {
        match self {
            Self::FileSystem(fs) => fs.length(key).await,
        }
    }

    /// Hashes the first `length` bytes, for an upload that goes on after a restart.
    pub async fn hash(&self, key: &str, length: u64) -> Result<sha2::Sha256> {
        match self {
            Self::FileSystem(fs) => fs.hash(key, length).await,
        }
    }

    /// Removes an object; one that is gone already is fine.
    pub async fn remove(&self, key: &str) -> Result<()> {
        match self {
            Self::FileSystem(fs) => fs.remove(key).await,
        }
    }

    /// Free bytes where objects go, if that is limited.
    pub fn free_bytes(&self) -> Result<Option<u64>> {
        match self {
            Self::FileSystem(fs) => fs.free_bytes().map(Some),
        }
    }
}
