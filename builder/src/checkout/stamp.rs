//! Gives each file a modification time that depends on its content alone.
//!
//! BuildKit sends a file again when its time or size changed. A fresh checkout would change all times,
//! so the nanoseconds come from git's hash of the content: same content, same time, whatever the commit.

use super::tree::{Entry, Kind};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::path::Path;

/// 2020-01-01: one second for all, so that tools that compare whole seconds see no order.
const SECOND: i64 = 1_577_836_800;

pub(super) fn stamp(files: &Path, entries: &[Entry]) {
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Submodule) {
        let time = Timespec {
            tv_sec: SECOND,
            tv_nsec: nanoseconds(&entry.object),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        let path = files.join(&entry.path);
        if let Err(error) = utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW) {
            // Costs time at the next build, nothing else.
            tracing::debug!("set the time of {}: {error}", path.display());
        }
    }
}

fn nanoseconds(object: &str) -> i64 {
    let start = object.get(..12).unwrap_or_default();
    i64::from_str_radix(start, 16).unwrap_or(0) % 1_000_000_000
}
