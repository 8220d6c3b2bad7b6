//! What is in a commit, what of it is not really there, and how much is too much.

use super::paths::Places;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Folders are counted too: a tree may name one other ten times, and that one the next.
const MOST_FILES: usize = 500_000;
/// All paths together.
const MOST_PATHS: usize = 128 << 20;
/// What a pointer of Git LFS begins with, today and at first.
const LFS_VERSIONS: [&str; 2] =
    ["version https://git-lfs.github.com/spec/v1", "version https://hawser.github.com/spec/v1"];
/// By the LFS specification a pointer is smaller than this.
const LFS_LARGEST: u64 = 1024;
/// Its three lines.
const LFS_SMALLEST: u64 = 100;

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

/// What a commit names and does not hold: submodules, and files whose content lies at a Git LFS server. Each comes with the
/// sentence for a build that needs it; one that leaves it out is none the worse.
pub(super) fn absent(entries: &[Entry], places: &Places) -> BTreeMap<PathBuf, String> {
    let is_read =
        |path: &Path| path.starts_with(&places.context) || path.parent() == Some(places.dockerfile_dir.as_path());
    let read = entries.iter().filter(|entry| is_read(&entry.path));
    let sentence = |entry: &Entry| {
        let path = entry.path.display();
        match entry.kind {
            Kind::Submodule => Some(format!(
                "`{path}` is a git submodule; submodules are not fetched: put its files into the repository, or leave it \
                 out with .dockerignore"
            )),
            Kind::File if is_lfs_pointer(&places.files, entry) => Some(format!(
                "`{path}` is stored with Git LFS, which is not fetched: put the file itself into the repository, or leave \
                 it out with .dockerignore"
            )),
            Kind::File | Kind::Link => None,
        }
    };
    read.filter_map(|entry| Some((entry.path.clone(), sentence(entry)?))).collect()
}

fn is_lfs_pointer(files: &Path, entry: &Entry) -> bool {
    if !(LFS_SMALLEST..LFS_LARGEST).contains(&entry.size) {
        return false;
    }
    let mut text = String::new();
    let file = std::fs::File::open(files.join(&entry.path));
    let read = file.and_then(|file| file.take(LFS_LARGEST).read_to_string(&mut text));
    read.is_ok() && is_pointer(&text)
}

/// Git LFS, "The Pointer": the version first, then lines of a key and a value.
fn is_pointer(text: &str) -> bool {
    let mut lines = text.lines();
    let is_first = lines.next().is_some_and(|line| LFS_VERSIONS.contains(&line));
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let is_hash = |oid: &str| {
        oid.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    is_first && value("oid").is_some_and(is_hash) && value("size").is_some_and(|size| size.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_has_an_object_and_a_size() {
        let oid = format!("oid sha256:{}", "a1".repeat(32));
        for version in LFS_VERSIONS {
            assert!(is_pointer(&format!("{version}\n{oid}\nsize 0\n")), "{version}");
            assert!(is_pointer(&format!("{version}\next-0-x sha256:ab\n{oid}\nsize 12\n")), "{version}");
            for other in ["\n\nHow pointers look.\n", "\nsize 12\n", "\noid sha256:a1\nsize 12\n"] {
                assert!(!is_pointer(&format!("{version}{other}")), "{other}");
            }
            assert!(!is_pointer(&format!("{version}\n{oid}\n")) && !is_pointer(&format!("{version}\n{oid}\nsize x\n")));
            assert!(!is_pointer(&format!("# \n{version}\n{oid}\nsize 1\n")));
        }
    }

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
