//! Lists a directory: depth first, names in byte order, as the receiver insists.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;

use bollard_buildkit_proto::fsutil::types::Stat;
use cap_std::fs::{Dir, Metadata, MetadataExt};
use rustix::fs::FileType;

use super::effort::Effort;
use super::failure::Failure;
use super::pattern::{Matched, Patterns};
use super::stat::{Identity, file_type, stat};

/// Each level holds a directory open.
const MAX_DEPTH: usize = 256;

/// One file, directory or link that is sent; with an identity if its content can be asked for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) stat: Stat,
    pub(super) content: Option<Identity>,
}

pub(super) struct Walk<'a> {
    /// None includes everything.
    include: Option<Patterns>,
    exclude: Option<Patterns>,
    /// What is not really here, each with the sentence that says why.
    absent: &'a BTreeMap<String, String>,
    /// How many more names may be looked at, and how many that was at first.
    left: u64,
    limit: u64,
    levels: Vec<Level>,
    /// The first path of each file with several names; the others are sent as links to it.
    links: HashMap<(u64, u64), String>,
    effort: Effort<'a>,
    tell: &'a mut dyn FnMut(Found) -> Result<(), Failure>,
}

/// A directory on the way down.
#[derive(Default)]
struct Level {
    include: Option<Matched>,
    exclude: Option<Matched>,
    /// Its own entry, as long as nothing below it was wanted.
    pending: Option<Found>,
}

impl<'a> Walk<'a> {
    /// `include` and `exclude` are patterns.
    pub(super) fn new(
        (include, exclude): (Option<Patterns>, Option<Patterns>),
        absent: &'a BTreeMap<String, String>,
        limit: u64,
        effort: Effort<'a>,
        tell: &'a mut dyn FnMut(Found) -> Result<(), Failure>,
    ) -> Self {
        Self { include, exclude, absent, left: limit, limit, levels: Vec::new(), links: HashMap::new(), effort, tell }
    }

    /// Tells of all that is wanted of a directory, whose own path is `path`.
    pub(super) fn dir(&mut self, dir: &Dir, path: &str) -> Result<(), Failure> {
        if self.levels.len() > MAX_DEPTH {
            return Err(Failure::TooDeep { path: path.to_owned(), limit: MAX_DEPTH });
        }
        for name in self.names(dir, path)? {
            self.entry(dir, path, &name)?;
        }
        Ok(())
    }

    fn names(&mut self, dir: &Dir, path: &str) -> Result<Vec<OsString>, Failure> {
        // A walk that sends nothing would not notice otherwise that nobody waits.
        self.effort.look()?;
        let mut names = Vec::new();
        for entry in dir.entries().map_err(Failure::read(path))? {
            self.left = self.left.checked_sub(1).ok_or(Failure::TooMany { limit: self.limit })?;
            names.push(entry.map_err(Failure::read(path))?.file_name());
        }
        names.sort();
        Ok(names)
    }

    fn entry(&mut self, dir: &Dir, parent: &str, name: &OsStr) -> Result<(), Failure> {
        if let Some((child, path)) = self.enter(dir, parent, name)? {
            self.dir(&child, &path)?;
            self.levels.pop();
        }
        Ok(())
    }

    /// Tells of one name. Of a directory whose names are to be told too there is one more level then. What it needs of the
    /// stack is given back before they are.
    fn enter(&mut self, dir: &Dir, parent: &str, name: &OsStr) -> Result<Option<(Dir, String)>, Failure> {
        let lossy = name.to_string_lossy();
        let path = if parent.is_empty() { lossy.into_owned() } else { format!("{parent}/{lossy}") };
        let metadata = dir.symlink_metadata(name).map_err(|error| vanished(error, &path))?;
        let (wanted, below, level) = self.judge(&path, metadata.is_dir())?;
        match (wanted, name.to_str()) {
            (true, None) => return Err(Failure::NotUtf8 { path }),
            (false, None) => return Ok(None),
            (false, Some(_)) if !below => return Ok(None),
            _ => {}
        }
        if wanted && !metadata.is_dir() {
            self.refuse_absent(&path)?;
        }
        let Some(found) = self.found(dir, name, &path, &metadata)? else {
            return Ok(None);
        };
        let mut pending = Some(found);
        if wanted {
            self.tell(pending.take())?;
        }
        if !metadata.is_dir() {
            return Ok(None);
        }
        let child = match dir.open_dir(name) {
            // Nobody asked for it by name, so it need not be readable.
            Err(error) if !wanted && error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(None);
            }
            child => child.map_err(|error| vanished(error, &path))?,
        };
        // A link put in its place would be followed, though never out of `dir`.
        let opened = child.dir_metadata().map_err(Failure::read(&path))?;
        if !Identity::of(&metadata).is_same_place(&opened) {
            return Err(Failure::Changed { path });
        }
        self.levels.push(Level { pending, ..level });
        if wanted {
            self.refuse_emptied(&path)?;
        }
        Ok(Some((child, path)))
    }

    /// Refuses what is wanted and not here.
    fn refuse_absent(&self, path: &str) -> Result<(), Failure> {
        self.absent.get(path).map_or(Ok(()), |why| Err(Failure::Absent { why: why.clone() }))
    }

    /// Refuses a directory whose files come from elsewhere, if one of them would be wanted. Its level is the last.
    fn refuse_emptied(&mut self, path: &str) -> Result<(), Failure> {
        if !self.absent.contains_key(path) {
            return Ok(());
        }
        let is_excepted = self.exclude.as_ref().is_some_and(|exclude| exclude.excepts_below(path));
        let is_needed = is_excepted || self.judge(&format!("{path}/file"), false)?.0;
        if is_needed { self.refuse_absent(path) } else { Ok(()) }
    }

    /// Whether a path is wanted, whether something below it may be, and what its children need to know.
    fn judge(&mut self, path: &str, is_dir: bool) -> Result<(bool, bool, Level), Failure> {
        let above = self.levels.last();
        let mut level = Level::default();
        let (mut included, mut excluded) = (true, false);
        if let Some(include) = &self.include {
            let (is_match, matched) =
                include.matches(path, above.and_then(|above| above.include.as_ref()), &mut self.effort)?;
            included = is_match;
            level.include = Some(matched);
        }
        if let Some(exclude) = &self.exclude {
            let (is_match, matched) =
                exclude.matches(path, above.and_then(|above| above.exclude.as_ref()), &mut self.effort)?;
            excluded = is_match;
            level.exclude = Some(matched);
        }
        let reachable = included || self.include.as_ref().is_none_or(|include| include.may_match_below(path));
        let excepted = !excluded || self.exclude.as_ref().is_some_and(Patterns::has_exceptions);
        Ok((included && !excluded, is_dir && reachable && excepted, level))
    }

    fn found(&mut self, dir: &Dir, name: &OsStr, path: &str, metadata: &Metadata) -> Result<Option<Found>, Failure> {
        let mut link = String::new();
        match file_type(metadata) {
            FileType::RegularFile | FileType::Directory | FileType::Fifo => {}
            FileType::Symlink => {
                let target = dir.read_link_contents(name).map_err(|error| vanished(error, path))?;
                let target = target.into_os_string().into_string();
                link = target.map_err(|_bytes| Failure::NotUtf8 { path: format!("{path} (target)") })?;
            }
            // Left over by a program; nobody can want it in an image.
            FileType::Socket => return Ok(None),
            _ => {
                return Err(Failure::Device { path: path.to_owned() });
            }
        }
        let mut found = Found { stat: stat(path, metadata, link), content: None };
        if metadata.is_file() {
            match self.first_name(path, metadata) {
                Some(first) => {
                    found.stat.linkname = first;
                    found.stat.size = 0;
                }
                None => found.content = Some(Identity::of(metadata)),
            }
        }
        Ok(Some(found))
    }

    /// Where the same file was sent before. Called for wanted files only, so the first name is always sent.
    fn first_name(&mut self, path: &str, metadata: &Metadata) -> Option<String> {
        if metadata.nlink() < 2 {
            return None;
        }
        let first = self.links.entry((metadata.dev(), metadata.ino())).or_insert_with(|| path.to_owned());
        (first != path).then(|| first.clone())
    }

    /// Sends an entry, after those of its directories that were held back.
    fn tell(&mut self, found: Option<Found>) -> Result<(), Failure> {
        let held_back = self.levels.iter_mut().filter_map(|level| level.pending.take());
        held_back.chain(found).try_for_each(&mut *self.tell)
    }
}

/// What was listed a moment ago and is gone has changed.
fn vanished(error: io::Error, path: &str) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::Changed { path: path.to_owned() },
        _ => Failure::Read { path: path.to_owned(), source: error },
    }
}
