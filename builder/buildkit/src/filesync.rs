//! Local directories, sent as the daemon asks for them.

mod follow;
mod mode;
mod pattern;
mod root;
mod send;
mod walk;

/// A directory that the daemon may read. Nothing outside of it can be reached through it, by no link and no race.
#[derive(Debug, Clone)]
pub struct LocalDir { /* a cap_std Dir */ }

impl LocalDir {
    /// Opens a directory that the caller trusts; links in `path` itself are followed.
    pub fn open(path: impl AsRef<std::path::Path>) -> std::io::Result<Self> { loop {} }
    /// Opens a directory below this one. Links on the way are followed as long as they stay inside.
    pub fn open_below(&self, path: impl AsRef<std::path::Path>) -> std::io::Result<Self> { loop {} }
}

/// How much a build may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files, directories and links of one directory tree.
    pub entries: u64,
    pub bytes: u64,
}

/// What was sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    pub entries: u64,
    pub files: u64,
    pub bytes: u64,
}
