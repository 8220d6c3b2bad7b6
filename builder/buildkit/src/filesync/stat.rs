//! A file's metadata in BuildKit's words, and the identity by which a change is noticed.

use bollard_buildkit_proto::fsutil::types::Stat;
use cap_std::fs::{Metadata, MetadataExt};
use rustix::fs::{FileType, Mode};

/// Go's `fs.FileMode` bits, which the protocol uses.
mod go {
    pub(super) const DIR: u32 = 1 << 31;
    pub(super) const SYMLINK: u32 = 1 << 27;
    pub(super) const NAMED_PIPE: u32 = 1 << 25;
    pub(super) const SETUID: u32 = 1 << 23;
    pub(super) const SETGID: u32 = 1 << 22;
    pub(super) const STICKY: u32 = 1 << 20;
}

/// Owner, device numbers and extended attributes stay behind: who owns the files here means nothing in an image.
pub(super) fn stat(path: &str, metadata: &Metadata, link: String) -> Stat {
    Stat {
        path: path.to_owned(),
        mode: mode(metadata),
        size: if metadata.is_file() { i64::try_from(metadata.len()).unwrap_or(i64::MAX) } else { 0 },
        mod_time: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
        linkname: link,
        ..Stat::default()
    }
}

pub(super) fn file_type(metadata: &Metadata) -> FileType {
    FileType::from_raw_mode(metadata.mode())
}

fn mode(metadata: &Metadata) -> u32 {
    let bits = Mode::from_raw_mode(metadata.mode());
    let kind = match file_type(metadata) {
        FileType::Directory => go::DIR,
        FileType::Symlink => go::SYMLINK,
        FileType::Fifo => go::NAMED_PIPE,
        _ => 0,
    };
    let flag = |has: Mode, go: u32| if bits.contains(has) { go } else { 0 };
    (bits & (Mode::RWXU | Mode::RWXG | Mode::RWXO)).as_raw_mode()
        | kind
        | flag(Mode::SUID, go::SETUID)
        | flag(Mode::SGID, go::SETGID)
        | flag(Mode::SVTX, go::STICKY)
}

/// Says whether a file is still the one that was listed, with the same content as far as one can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is the same directory; its times may change.
    pub(super) fn is_same_place(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }
}
