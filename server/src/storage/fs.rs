//! Objects as files below one folder.
//!
//! Hashing, writing and reading run on blocking threads, a piece at a time: other requests keep their latency.

mod removal;
mod writer;

pub use writer::Writer;

use crate::db::ObjectKey;
use crate::error::{Context, Error, Result};
use crate::names::{Algorithm, Hasher};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

// 1 MiB reads gave 1.9 GB/s on two cores, 64 KiB 1.65.
const READ_SIZE: usize = 1 << 20;

/// Pieces of that size that readers hold at once. A reader that is slow holds its piece, so whoever finds none left
/// reads small pieces: many that stall take little memory.
const LARGE_PIECES: usize = 16;
const SMALL_READ_SIZE: usize = 64 << 10;

pub struct FileSystem {
    root: PathBuf,
    large_pieces: Arc<Semaphore>,
    /// The same for writers.
    gathering: Arc<Semaphore>,
    #[cfg(test)]
    free: Mutex<Option<u64>>,
}

impl FileSystem {
    pub(super) fn open(root: &Path) -> Result<Self> {
        for kind in ["blobs", "logs"] {
            std::fs::create_dir_all(root.join(kind)).context("making the storage folder")?;
        }
        for folder in ["blobs", "logs", "."] {
            File::open(root.join(folder)).and_then(|folder| folder.sync_all()).context("making the storage folder")?;
        }
        Ok(Self {
            root: root.to_owned(),
            large_pieces: Arc::new(Semaphore::new(LARGE_PIECES)),
            gathering: Arc::new(Semaphore::new(writer::LARGE_PIECES)),
            #[cfg(test)]
            free: Mutex::default(),
        })
    }

    // Keys come from our own rows.
    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    pub(super) fn write(&self, key: &ObjectKey, offset: u64, hash: Hasher) -> Writer {
        Writer::new(self.path(key), offset, hash, self.gathering.clone())
    }

    pub(super) async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<()> {
        let path = self.path(key);
        blocking(move || {
            let mut file = open_for_writing(&path, 0)?;
            file.write_all(&bytes)?;
            make_durable(&file, &path)
        })
        .await
    }

    pub(super) async fn get(&self, key: &ObjectKey) -> Result<Bytes> {
        let path = self.path(key);
        blocking(move || std::fs::read(path).map(Bytes::from)).await
    }

    pub(super) async fn read(&self, key: &ObjectKey, start: u64, length: u64) -> Result<Option<ByteStream>> {
        let path = self.path(key);
        let opened = tokio::task::spawn_blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            Ok(file)
        });
        match opened.await.context("reading an object")? {
            Ok(file) => Ok(Some(stream(file, length, self.large_pieces.clone()))),
            Err(e) if io::Error::kind(&e) == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(storage_error(e)),
        }
    }

    pub(super) async fn length(&self, key: &ObjectKey) -> Result<Option<u64>> {
        let path = self.path(key);
        blocking(move || match std::fs::metadata(path) {
            Ok(file) => Ok(Some(file.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        })
        .await
    }

    pub(super) async fn hash(&self, key: &ObjectKey, length: u64, algorithm: Algorithm) -> Result<Hasher> {
        let path = self.path(key);
        blocking(move || {
            let mut hash = Hasher::new(algorithm);
            let mut file = File::open(path)?.take(length);
            let mut buffer = vec![0; READ_SIZE];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(hash),
                    n => hash.update(&buffer[..n]),
                }
            }
        })
        .await
    }

    pub(super) async fn remove(&self, keys: &[ObjectKey]) -> Result<Vec<Result<()>>> {
        let paths: Vec<PathBuf> = keys.iter().map(|key| self.path(key)).collect();
        let done = blocking(move || Ok(removal::remove_all(&paths))).await?;
        Ok(done.into_iter().map(|done| done.map_err(storage_error)).collect())
    }

    pub(super) async fn folders(&self) -> Result<Vec<String>> {
        let root = self.root.clone();
        blocking(move || {
            let mut found = Vec::new();
            for kind in ["blobs", "logs"] {
                found.extend(list(&root.join(kind))?.into_iter().map(|name| format!("{kind}/{name}")));
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn names_in(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.root.join(folder);
        blocking(move || list(&path)).await
    }

    /// From now on it looks as if so much were free.
    #[cfg(test)]
    pub(super) fn pretend_free(&self, bytes: u64) {
        *self.free.lock().unwrap() = Some(bytes);
    }

    pub(super) fn free_bytes(&self) -> Result<u64> {
        #[cfg(test)]
        if let Some(free) = *self.free.lock().unwrap() {
            return Ok(free);
        }
        let stat = rustix::fs::statvfs(&self.root).context("asking for free space")?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

/// The names in a folder; none when it is not there.
fn list(folder: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned())).collect(),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("storage")?.map_err(storage_error)
}

fn storage_error(e: io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
        _ => Error::internal("storage", e),
    }
}

fn open_for_writing(path: &Path, offset: u64) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // What a broken-off request left behind the committed offset goes.
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

/// Makes a folder that lasts: whoever finds it there may rely on it.
fn make_folder(folder: &Path) -> io::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _making = ONE_AT_A_TIME.lock().expect("no maker panics");
    match std::fs::create_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())),
    }
}

fn make_durable(file: &File, path: &Path) -> io::Result<()> {
    file.sync_data()?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Each chunk takes a blocking thread for as long as the disk needs, not for as long as the reader takes. The reader
/// asks for the next one when it has sent this one, so until then its size is counted.
fn stream(file: File, length: u64, large_pieces: Arc<Semaphore>) -> ByteStream {
    Box::pin(try_unfold((file, length, None), move |(mut file, left, last)| {
        drop(last);
        let large_pieces = large_pieces.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            let small = left <= SMALL_READ_SIZE as u64;
            let large = if small { None } else { large_pieces.try_acquire_owned().ok() };
            let most = if large.is_some() { READ_SIZE } else { SMALL_READ_SIZE };
            let size = most.min(usize::try_from(left).unwrap_or(most));
            let read = tokio::task::spawn_blocking(move || {
                let mut buffer = vec![0; size];
                file.read_exact(&mut buffer).map(|()| (Bytes::from(buffer), file))
            });
            let (chunk, file) = read.await.map_err(io::Error::other)??;
            Ok(Some((chunk, (file, left - size as u64, large))))
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    #[tokio::test]
    async fn readers_that_stall_hold_large_pieces_while_there_is_room_and_small_ones_then() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileSystem::open(folder.path()).unwrap();
        let key = &ObjectKey::unregistered();
        storage.put(key, Bytes::from(vec![7; 3 * READ_SIZE])).await.unwrap();
        let mut stalled = Vec::new();
        for reader in 0..LARGE_PIECES + 2 {
            let mut stream = storage.read(key, 0, 3 * READ_SIZE as u64).await.unwrap().unwrap();
            let size = if reader < LARGE_PIECES { READ_SIZE } else { SMALL_READ_SIZE };
            assert_eq!(stream.next().await.unwrap().unwrap().len(), size, "reader {reader}");
            stalled.push(stream);
        }
        let mut late = stalled.pop().unwrap();
        drop(stalled);
        assert_eq!(late.next().await.unwrap().unwrap().len(), READ_SIZE, "there is room again");
        let rest: usize = late.map(|chunk| chunk.unwrap().len()).collect::<Vec<_>>().await.into_iter().sum();
        assert_eq!(rest, 2 * READ_SIZE - SMALL_READ_SIZE);
        assert_eq!(storage.large_pieces.available_permits(), LARGE_PIECES);
    }
}
