//! What is in a commit, and what of it we refuse.

use super::paths::Wanted;
use crate::failure::{Failed, because};
use anyhow::{Result, bail};
use slipway_protocol::Reason;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Folders are counted too: a tree may name one other ten times, and that one the next.
const MOST_FILES: usize = 500_000;
/// All paths together.
const MOST_PATHS: usize = 128 << 20;
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";
/// By the LFS specification a pointer is smaller than this.
const LFS_LARGEST: u64 = 1024;

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) object: String,
    pub(super) size: u64,
    pub(super) path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Link,
    Submodule,
}

/// The source is larger than this builder takes.
#[derive(Debug, thiserror::Error)]
#[error("the source is larger than this builder takes: at most {MOST_FILES} files and folders, and {} MiB", .0 >> 20)]
pub(super) struct TooLarge(pub(super) u64);

/// Reads `git ls-tree -r -t -l -z` as it comes: `<mode> <type> <object> <size>\t<path>\0`.
pub(super) struct Listing {
    max_bytes: u64,
    partial: Vec<u8>,
    count: usize,
    paths: usize,
    bytes: u64,
    pub(super) entries: Vec<Entry>,
}

impl Listing {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, partial: Vec::new(), count: 0, paths: 0, bytes: 0, entries: Vec::new() }
    }

    /// Refuses what goes beyond the bounds: a few kilobytes of a pack can stand for billions of paths.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.paths += bytes.len();
        for part in bytes.split_inclusive(|b| *b == 0) {
            self.partial.extend_from_slice(part);
            if self.partial.pop_if(|last| *last == 0).is_none() {
                break;
            }
            self.count += 1;
            let entry = entry(&self.partial);
            self.partial.clear();
            if let Some(entry) = entry {
                self.bytes = self.bytes.saturating_add(entry.size);
                self.entries.push(entry);
            }
        }
        if self.count > MOST_FILES || self.paths > MOST_PATHS || self.bytes > self.max_bytes {
            bail!(TooLarge(self.max_bytes));
        }
        Ok(())
    }
}

/// `None` for a folder.
fn entry(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|b| *b == b'\t')?;
    let head = std::str::from_utf8(&line[..tab]).ok()?;
    let mut fields = head.split_ascii_whitespace();
    let kind = match fields.next()? {
        "040000" => return None,
        "160000" => Kind::Submodule,
        "120000" => Kind::Link,
        _ => Kind::File,
    };
    let object = fields.nth(1)?.to_owned();
    let size = fields.next()?.parse().unwrap_or(0);
    let path = PathBuf::from(OsStr::from_bytes(&line[tab + 1..]));
    Some(Entry { kind, object, size, path })
}

/// Refuses submodules where the build would miss them.
pub(super) fn refuse_submodules(entries: &[Entry], wanted: &Wanted) -> Result<(), Failed> {
    let submodule =
        entries.iter().find(|entry| entry.kind == Kind::Submodule && entry.path.starts_with(&wanted.context));
    submodule.map_or(Ok(()), |entry| {
        let text = format!(
            "`{}` is a git submodule; submodules are not fetched: put its files into the repository, or build from a folder without it",
            entry.path.display()
        );
        Err(because(Reason::SourceUnsupported, text))
    })
}

/// Refuses files whose content lies at a Git LFS server: an image with pointers in their place helps nobody.
pub(super) fn refuse_lfs_pointers(files: &Path, entries: &[Entry], wanted: &Wanted) -> Result<(), Failed> {
    let small = entries.iter().filter(|entry| {
        let fits = (LFS_POINTER.len() as u64..LFS_LARGEST).contains(&entry.size);
        entry.kind == Kind::File && fits && entry.path.starts_with(&wanted.context)
    });
    for entry in small {
        let mut start = [0; LFS_POINTER.len()];
        let read = std::fs::File::open(files.join(&entry.path)).and_then(|mut file| file.read_exact(&mut start));
        if read.is_ok() && start == *LFS_POINTER {
            let text = format!(
                "`{}` is stored with Git LFS, which is not fetched: put the file itself into the repository",
                entry.path.display()
            );
            return Err(because(Reason::SourceUnsupported, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_with_any_file_name_and_wherever_it_is_cut() {
        let text = b"040000 tree dddd       -\tdir\x00100644 blob aaaa      12\tdir/a b\n\xFF.txt\x00120000 blob bbbb       3\tlink\x00160000 commit cccc       -\tlib/dep\0";
        for size in [1, 7, text.len()] {
            let mut listing = Listing::new(1000);
            text.chunks(size).for_each(|part| listing.push(part).unwrap());
            let entries = listing.entries;
            assert_eq!(entries.len(), 3);
            assert_eq!((entries[0].kind, entries[0].size), (Kind::File, 12));
            assert_eq!(entries[0].path.as_os_str().as_bytes(), b"dir/a b\n\xFF.txt");
            assert_eq!(entries[1].kind, Kind::Link);
            assert_eq!((entries[2].kind, entries[2].object.as_str()), (Kind::Submodule, "cccc"));
        }
    }
}
