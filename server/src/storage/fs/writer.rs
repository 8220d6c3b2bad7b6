//! An object being written: bytes are gathered, then hashed and written a piece at a time.
//!
//! A blocking thread is taken for a piece, not for as long as a sender takes: reads need those threads too, and there
//! are only 512. While one piece is written the next one is gathered, so a fast sender waits for the slower of the two.

use super::{blocking, make_durable, open_for_writing, storage_error};
use crate::error::{Context, Error, Result};
use crate::names::Hasher;
use bytes::Bytes;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, spawn_blocking};

/// Two of them are held for each object at most.
const PIECE: usize = 1 << 20;
/// Whoever finds no large piece left gathers small ones: many that send and stop take little memory.
const SMALL_PIECE: usize = 64 << 10;
pub(super) const LARGE_PIECES: usize = 16;

/// An object being written. Dropped without `finish`, its bytes stay but are not made durable.
pub struct Writer {
    path: PathBuf,
    offset: u64,
    gathered: Piece,
    large_pieces: Arc<Semaphore>,
    state: State,
}

/// Bytes on their way to the disk, and the place of a large piece, if they have one.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    large: Option<OwnedSemaphorePermit>,
}

enum State {
    Idle(Target),
    Busy(JoinHandle<io::Result<Target>>),
    Failed,
}

/// Where pieces go, opened by the first one.
struct Target {
    path: PathBuf,
    offset: u64,
    file: Option<File>,
    hash: Hasher,
    written: u64,
    /// The last piece's memory, for the piece after the next.
    spare: Piece,
}

impl Writer {
    pub(super) fn new(path: PathBuf, offset: u64, hash: Hasher, large_pieces: Arc<Semaphore>) -> Self {
        let target = Target { path: path.clone(), offset, file: None, hash, written: 0, spare: Piece::default() };
        Self { path, offset, gathered: Piece::default(), large_pieces, state: State::Idle(target) }
    }

    /// Appends; waits when the disk is behind. An error is of what was appended before, as a rule.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (fits, later) = rest.split_at(rest.len().min(self.gathered.room(&self.large_pieces)));
            // Copied, which costs a tenth of hashing it: kept as it came, a byte alone would hold its whole packet.
            self.gathered.bytes.extend_from_slice(fits);
            rest = later;
            if self.gathered.room(&self.large_pieces) == 0 {
                let mut target = self.idle().await?;
                let piece = std::mem::replace(&mut self.gathered, std::mem::take(&mut target.spare));
                self.state = State::Busy(spawn_blocking(move || target.append(piece)));
            }
        }
        Ok(())
    }

    /// Makes all bytes last (file and folder); returns the hash over the whole object so far and how many bytes were
    /// appended. After an error it is as long as it was before.
    pub async fn finish(mut self) -> Result<(Hasher, u64)> {
        match self.end().await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.undo().await?;
                Err(error)
            }
        }
    }

    async fn end(&mut self) -> Result<(Hasher, u64)> {
        let target = self.idle().await?;
        let last = std::mem::take(&mut self.gathered);
        blocking(move || {
            let mut target = target.append(last)?;
            let path = target.path.clone();
            make_durable(target.file()?, &path)?;
            Ok((target.hash, target.written))
        })
        .await
    }

    /// Cuts off what was appended: room that nobody has use for.
    pub async fn undo(mut self) -> Result<()> {
        // A piece that is being written would come after the cut.
        let _written_or_failed = self.idle().await;
        let (path, offset) = (self.path, self.offset);
        blocking(move || match OpenOptions::new().write(true).open(path) {
            Ok(file) => file.set_len(offset),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        })
        .await
    }

    /// The target, once the piece before is written.
    async fn idle(&mut self) -> Result<Target> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Idle(target) => Ok(target),
            State::Busy(job) => job.await.context("writing an object")?.map_err(storage_error),
            State::Failed => Err(Error::internal("writing an object", "an earlier piece was not written")),
        }
    }
}

impl Piece {
    /// How much more goes into it. A small one that is full becomes a large one while there are some.
    fn room(&mut self, large_pieces: &Arc<Semaphore>) -> usize {
        if self.large.is_none() && self.bytes.len() == SMALL_PIECE {
            self.large = large_pieces.clone().try_acquire_owned().ok();
        }
        let most = if self.large.is_some() { PIECE } else { SMALL_PIECE };
        self.bytes.reserve_exact(most - self.bytes.len());
        most - self.bytes.len()
    }
}

impl Target {
    fn append(mut self, mut piece: Piece) -> io::Result<Self> {
        self.file()?.write_all(&piece.bytes)?;
        self.hash.update(&piece.bytes);
        self.written += piece.bytes.len() as u64;
        piece.bytes.clear();
        self.spare = piece;
        Ok(self)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(open_for_writing(&self.path, self.offset)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Algorithm, Digest};

    #[tokio::test]
    async fn writers_gather_large_pieces_while_there_are_some_and_small_ones_then() {
        let folder = tempfile::tempdir().unwrap();
        let large_pieces = Arc::new(Semaphore::new(1));
        let writer = |name: &str| Writer::new(folder.path().join(name), 0, Hasher::default(), large_pieces.clone());
        let (mut first, mut second) = (writer("a"), writer("b"));
        let bytes = Bytes::from(vec![7; PIECE - 1]);
        first.write(bytes.clone()).await.unwrap();
        second.write(bytes.clone()).await.unwrap();
        assert_eq!((first.gathered.bytes.len(), large_pieces.available_permits()), (PIECE - 1, 0));
        assert!(second.gathered.bytes.capacity() <= SMALL_PIECE, "{}", second.gathered.bytes.capacity());
        for writer in [first, second] {
            let (hash, written) = writer.finish().await.unwrap();
            assert_eq!((hash.digest(Algorithm::Sha256), written), (Some(Digest::of(&bytes)), bytes.len() as u64));
        }
        assert_eq!(large_pieces.available_permits(), 1);
    }
}
