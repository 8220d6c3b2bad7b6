//! An object being written: bytes are gathered, then hashed and written a piece at a time.
//!
//! A blocking thread is taken for a piece, not for as long as a sender takes: reads need those threads too, and there
//! are only 512. While one piece is written the next one is gathered, so a fast sender waits for the slower of the two.

use super::{blocking, make_durable, open_for_writing, storage_error};
use crate::error::{Context, Error, Result};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use tokio::task::{JoinHandle, spawn_blocking};

/// Two of them are held for each object at most.
const PIECE: usize = 1 << 20;

/// An object being written. Dropped without `finish`, its bytes stay but are not made durable.
pub struct Writer {
    path: PathBuf,
    offset: u64,
    gathered: Vec<u8>,
    state: State,
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
    hash: Sha256,
    written: u64,
    /// The last piece's memory, for the piece after the next.
    spare: Vec<u8>,
}

impl Writer {
    pub(super) fn new(path: PathBuf, offset: u64, hash: Sha256) -> Self {
        let target = Target { path: path.clone(), offset, file: None, hash, written: 0, spare: Vec::new() };
        Self { path, offset, gathered: Vec::new(), state: State::Idle(target) }
    }

    /// Appends; waits when the disk is behind. An error is of what was appended before, as a rule.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (fits, later) = rest.split_at(rest.len().min(PIECE - self.gathered.len()));
            // Copied, which costs a tenth of hashing it: kept as it came, a byte alone would hold its whole packet.
            self.gathered.extend_from_slice(fits);
            rest = later;
            if self.gathered.len() == PIECE {
                let mut target = self.idle().await?;
                let piece = std::mem::replace(&mut self.gathered, std::mem::take(&mut target.spare));
                self.state = State::Busy(spawn_blocking(move || target.append(piece)));
            }
        }
        Ok(())
    }

    /// Makes all bytes last (file and folder); returns the hash over the whole object so far and how many bytes were
    /// appended. After an error it is as long as it was before.
    pub async fn finish(mut self) -> Result<(Sha256, u64)> {
        match self.end().await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.undo().await?;
                Err(error)
            }
        }
    }

    async fn end(&mut self) -> Result<(Sha256, u64)> {
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

impl Target {
    fn append(mut self, mut piece: Vec<u8>) -> io::Result<Self> {
        self.file()?.write_all(&piece)?;
        self.hash.update(&piece);
        self.written += piece.len() as u64;
        piece.clear();
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
