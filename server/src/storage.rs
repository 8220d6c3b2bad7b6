//! Bytes: blobs and sealed logs, by keys that hold no names.
//!
//! ```text
//! blobs/0a/0a3f…   one blob; its key is a UUID made when the upload starts, never a digest
//! logs/0a/0a3f…    one sealed build log
//! ```
//! Nothing is renamed or copied at the end of an upload. A key is a row before its first byte: only rows hold keys, so
//! whoever has none cannot write.

mod fs;

pub use fs::{ByteStream, FileSystem, Writer};

use crate::db::ObjectKey;
use crate::error::Result;
use crate::names::{Algorithm, Hasher};
use std::path::Path;

/// The driver; another one would stand beside `fs`.
pub enum Storage {
    FileSystem(FileSystem),
}

impl Storage {
    pub fn file_system(root: &Path) -> Result<Self> {
        Ok(Self::FileSystem(FileSystem::open(root)?))
    }

    /// Starts a new object (`offset` 0, a new hash), or goes on with one at `offset`: what lies behind it is cut off,
    /// and `hash` covers what lies before.
    pub fn write(&self, key: &ObjectKey, offset: u64, hash: Hasher) -> Writer {
        match self {
            Self::FileSystem(fs) => fs.write(key, offset, hash),
        }
    }

    /// Stores a small object in one go, durably.
    pub async fn put(&self, key: &ObjectKey, bytes: bytes::Bytes) -> Result<()> {
        match self {
            Self::FileSystem(fs) => fs.put(key, bytes).await,
        }
    }

    /// A whole small object.
    pub async fn get(&self, key: &ObjectKey) -> Result<bytes::Bytes> {
        match self {
            Self::FileSystem(fs) => fs.get(key).await,
        }
    }

    /// Bytes `start..start + length` as a stream of chunks of at most 1 MiB; `None` when the object is absent.
    pub async fn read(&self, key: &ObjectKey, start: u64, length: u64) -> Result<Option<fs::ByteStream>> {
        match self {
            Self::FileSystem(fs) => fs.read(key, start, length).await,
        }
    }

    /// Length of an object; `None` when it is absent.
    pub async fn length(&self, key: &ObjectKey) -> Result<Option<u64>> {
        match self {
            Self::FileSystem(fs) => fs.length(key).await,
        }
    }

    /// Hashes the first `length` bytes, for an upload that goes on after a restart, or whose client names another
    /// algorithm at its end.
    pub async fn hash(&self, key: &ObjectKey, length: u64, algorithm: Algorithm) -> Result<Hasher> {
        match self {
            Self::FileSystem(fs) => fs.hash(key, length, algorithm).await,
        }
    }

    /// Removes objects, durably, and says of each whether it is gone, in the same order; one that was gone before is.
    pub async fn remove(&self, keys: &[ObjectKey]) -> Result<Vec<Result<()>>> {
        match self {
            Self::FileSystem(fs) => fs.remove(keys).await,
        }
    }

    /// Loses an object, as a broken disk does.
    #[cfg(test)]
    pub async fn lose(&self, key: &ObjectKey) {
        self.remove(std::slice::from_ref(key)).await.unwrap().remove(0).unwrap();
    }

    /// The folders that objects lie in, `blobs/0a`, and the names of those in one of them.
    pub async fn folders(&self) -> Result<Vec<String>> {
        match self {
            Self::FileSystem(fs) => fs.folders().await,
        }
    }

    pub async fn names_in(&self, folder: &str) -> Result<Vec<String>> {
        match self {
            Self::FileSystem(fs) => fs.names_in(folder).await,
        }
    }

    /// Free bytes where objects go, if that is limited.
    pub fn free_bytes(&self) -> Result<Option<u64>> {
        match self {
            Self::FileSystem(fs) => fs.free_bytes().map(Some),
        }
    }

    /// From now on it looks as if so much were free.
    #[cfg(test)]
    pub(crate) fn pretend_free(&self, bytes: u64) {
        match self {
            Self::FileSystem(fs) => fs.pretend_free(bytes),
        }
    }
}
