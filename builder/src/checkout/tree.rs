//! What is in a commit, and what of it we refuse.

use super::paths::Wanted;
use crate::failure::{Failed, because};
use slipway_protocol::Reason;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const MOST_FILES: usize = 500_000;
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

/// Reads `git ls-tree -r -l -z`: `<mode> <type> <object> <size>\t<path>\0`.
pub(super) fn parse(listing: &[u8]) -> Vec<Entry> {
    listing.split(|b| *b == 0).filter_map(entry).collect()
}

fn entry(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|b| *b == b'\t')?;
    let head = std::str::from_utf8(&line[..tab]).ok()?;
    let mut fields = head.split_ascii_whitespace();
    let kind = match fields.next()? {
        "160000" => Kind::Submodule,
        "120000" => Kind::Link,
        _ => Kind::File,
    };
    let object = fields.nth(1)?.to_owned();
    let size = fields.next()?.parse().unwrap_or(0);
    let path = PathBuf::from(OsStr::from_bytes(&line[tab + 1..]));
    Some(Entry { kind, object, size, path })
}

/// Refuses what is too large, and submodules where the build would miss them.
pub(super) fn check(entries: &[Entry], wanted: &Wanted, max_bytes: u64) -> Result<(), Failed> {
    let bytes: u64 = entries.iter().map(|entry| entry.size).sum();
    if entries.len() > MOST_FILES || bytes > max_bytes {
        let text = format!(
            "the source has {} files and {} MiB: this builder takes at most {MOST_FILES} files and {} MiB",
            entries.len(),
            bytes >> 20,
            max_bytes >> 20
        );
        return Err(because(Reason::SourceUnsupported, text));
    }
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
    fn a_listing_is_read_with_any_file_name() {
        let listing = b"100644 blob aaaa      12\tdir/a b\n\xFF.txt\x00120000 blob bbbb       3\tlink\x00160000 commit cccc       -\tlib/dep\0";
        let entries = parse(listing);
        assert_eq!(entries.len(), 3);
        assert_eq!((entries[0].kind, entries[0].size), (Kind::File, 12));
        assert_eq!(entries[0].path.as_os_str().as_bytes(), b"dir/a b\n\xFF.txt");
        assert_eq!(entries[1].kind, Kind::Link);
        assert_eq!((entries[2].kind, entries[2].object.as_str()), (Kind::Submodule, "cccc"));
    }
}
