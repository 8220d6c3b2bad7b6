//! Gives each file a modification time that depends on its content alone.
//!
//! BuildKit sends a file again when its time or size changed. A fresh checkout would change all times,
//! so the nanoseconds come from git's hash of the content: same content, same time, whatever the commit.

use super::tree::{Entry, Kind};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::collections::BTreeSet;
use std::path::Path;

/// 2020-01-01: one second for all, so that tools that compare whole seconds see no order.
const SECOND: i64 = 1_577_836_800;

pub(super) fn stamp(files: &Path, entries: &[Entry]) {
    let mut folders = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Submodule) {
        set(&files.join(&entry.path), nanoseconds(&entry.object));
        folders.extend(entry.path.ancestors().skip(1));
    }
    for folder in folders {
        set(&files.join(folder), 0);
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
    i64::from_str_radix(start, 16).unwrap_or(0) % 1_000_000_000
}
