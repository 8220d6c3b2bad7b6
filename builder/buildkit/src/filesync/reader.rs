//! Sends the content of files, each only if it still is the file that was listed.

use std::io::Read;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use super::failure::Failure;
use super::stat::Identity;

/// What fsutil's own sender uses; the daemon takes at most 4 MiB.
const CHUNK: usize = 32 << 10;

/// A file as it was listed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) identity: Identity,
}

impl Listed {
    /// Gives the content in chunks.
    ///
    /// The path is resolved beneath `root`, and what it leads to must be what was listed. So a link or another file
    /// put there meanwhile fails the transfer; a pipe does not hold it up.
    pub(super) fn read(&self, root: &Dir, give: impl Fn(Vec<u8>) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut options = OpenOptions::new();
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.read(true).custom_flags(flags.bits().cast_signed());
        // Whatever keeps it from being opened: a moment ago it was a file there.
        let mut file = root.open_with(&self.path, &options).map_err(Failure::read(&self.path))?;
        self.check(&file)?;
        let mut left = self.identity.size();
        while left > 0 {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = (&mut file).take(left.min(CHUNK as u64)).read_to_end(&mut chunk);
            let read = read.map_err(Failure::read(&self.path))? as u64;
            if read == 0 {
                return Err(self.changed());
            }
            left -= read;
            give(chunk)?;
        }
        self.check(&file)
    }

    fn check(&self, file: &cap_std::fs::File) -> Result<(), Failure> {
        let now = file.metadata().map_err(Failure::read(&self.path))?;
        if now.is_file() && Identity::of(&now) == self.identity { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Failure {
        Failure::Changed { path: self.path.clone() }
    }
}
