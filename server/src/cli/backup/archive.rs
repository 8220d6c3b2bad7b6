//! Writing the tar file of a backup: private, durable, without holding an object in memory.

use crate::error::{Context, Error, Result};
use crate::storage::ByteStream;
use futures_util::StreamExt as _;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const BLOCK: usize = 512;

/// Dropped before `finish`, it leaves no file.
pub(super) struct Writer {
    file: BufWriter<File>,
    unfinished: Option<PathBuf>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(path) = &self.unfinished {
            std::fs::remove_file(path).ok();
        }
    }
}

impl Writer {
    /// A new file with mode 0600; one that exists is not written over.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.context(&format!("making {}; the file must be new", path.display()))?;
        Ok(Self { file: BufWriter::new(file), unfinished: Some(path.to_owned()) })
    }

    pub(super) fn json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(value).expect("it is plain data");
        self.copy(name, bytes.len() as u64, bytes.as_slice())
    }

    pub(super) fn file(&mut self, name: &str, path: &Path) -> Result<()> {
        let doing = format!("reading {}", path.display());
        let file = File::open(path).context(&doing)?;
        let size = file.metadata().context(&doing)?.len();
        self.copy(name, size, file)
    }

    fn copy(&mut self, name: &str, size: u64, from: impl Read) -> Result<()> {
        self.header(name, size)?;
        let copied = std::io::copy(&mut from.take(size), &mut self.file).context("writing the backup")?;
        self.end(name, size, copied)
    }

    pub(super) async fn stream(&mut self, name: &str, size: u64, mut bytes: ByteStream) -> Result<()> {
        self.header(name, size)?;
        let mut copied = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.context(&format!("reading {name}"))?;
            self.file.write_all(&chunk).context("writing the backup")?;
            copied += chunk.len() as u64;
        }
        self.end(name, size, copied)
    }

    fn header(&mut self, name: &str, size: u64) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).context("naming an entry of the backup")?;
        header.set_size(size);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.file.write_all(header.as_bytes()).context("writing the backup")
    }

    fn end(&mut self, name: &str, size: u64, copied: u64) -> Result<()> {
        if copied != size {
            return Err(Error::internal(
                format!("reading {name}"),
                format!("{copied} bytes where {size} were expected"),
            ));
        }
        let over = usize::try_from(size % BLOCK as u64).expect("a block is small");
        self.file.write_all(&[0; BLOCK][..(BLOCK - over) % BLOCK]).context("writing the backup")
    }

    /// Ends the archive and makes it last.
    pub(super) fn finish(mut self) -> Result<()> {
        self.file.write_all(&[0; 2 * BLOCK]).context("writing the backup")?;
        self.file.flush().context("writing the backup")?;
        self.file.get_ref().sync_all().context("writing the backup")?;
        self.unfinished = None;
        Ok(())
    }
}
