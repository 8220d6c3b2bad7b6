//! Gives each file a modification time that depends on its content alone.
//!
//! BuildKit sends a file again when its time or size changed. A fresh checkout would change all times,
//! so the nanoseconds come from git's hash of the content: same content, same time, whatever the commit.
//! What `.gitattributes` makes of a content (its line ends, its encoding) is another content, so those above a file count too.

use super::tree::{Entry, Kind};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// 2020-01-01: one second for all, so that tools that compare whole seconds see no order.
const SECOND: i64 = 1_577_836_800;
const NANOSECONDS: i64 = 1_000_000_000;

pub(super) fn stamp(files: &Path, entries: &[Entry]) {
    let attributes = Attributes::of(entries);
    let mut folders = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Submodule) {
        set(&files.join(&entry.path), (nanoseconds(&entry.object) + attributes.above(&entry.path)) % NANOSECONDS);
        folders.extend(entry.path.ancestors().skip(1));
    }
    for folder in folders {
        set(&files.join(folder), 0);
    }
}

/// The `.gitattributes` of a commit, by their folders.
struct Attributes<'a>(HashMap<&'a Path, i64>);

impl<'a> Attributes<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        // A link of that name says nothing to git.
        let files = entries.iter().filter(|entry| entry.kind == Kind::File && entry.path.ends_with(".gitattributes"));
        let folder = |entry: &'a Entry| (entry.path.parent().unwrap_or(Path::new("")), nanoseconds(&entry.object));
        Self(files.map(folder).collect())
    }

    /// One number for all that say something of a file; 0 where there are none.
    fn above(&self, path: &Path) -> i64 {
        if self.0.is_empty() {
            return 0;
        }
        let known = path.ancestors().skip(1).map(|folder| self.0.get(folder));
        // Weighed, so that two that change places make another number.
        known.fold(0, |sum, found| (sum * 31 + found.map_or(0, |object| object + 1)) % NANOSECONDS)
    }
}

fn set(path: &Path, nanoseconds: i64) {
    let time = Timespec { tv_sec: SECOND, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    if let Err(error) = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW) {
        // Costs time at the next build, nothing else.
        tracing::debug!("set the time of {}: {error}", path.display());
    }
}

fn nanoseconds(object: &str) -> i64 {
    let start = object.get(..12).unwrap_or_default();
    i64::from_str_radix(start, 16).unwrap_or(0) % NANOSECONDS
}
