//! Follows the links of the paths that a build copies, so that what they lead to is sent as well. A port of fsutil's
//! `FollowLinks`: links are resolved as if the directory were the root of the file system.

use std::collections::BTreeSet;
use std::io;

use cap_std::fs::Dir;

use super::effort::Effort;
use super::failure::Failure;
use super::glob::{Glob, Room};
use super::pattern::{MOST_PATTERNS, clean};

/// Of all paths that links make of the paths that are asked for.
const MOST_BYTES: usize = 16 << 20;
/// Reading one name of a directory, beside what matching it takes.
const STEPS_OF_A_NAME: u64 = 100;

/// The paths to include; None when that is all there is.
pub(super) fn follow(root: &Dir, paths: &[String], effort: &mut Effort<'_>) -> Result<Option<Vec<String>>, Failure> {
    let mut links = Links { root, resolved: BTreeSet::new(), left: MOST_BYTES, effort };
    for path in paths {
        links.resolve(path)?;
    }
    // An empty path is the directory itself.
    Ok((!links.resolved.contains("")).then(|| links.resolved.into_iter().collect()))
}

struct Links<'a, 'e> {
    root: &'a Dir,
    resolved: BTreeSet<String>,
    /// Bytes of paths that may still be made.
    left: usize,
    effort: &'a mut Effort<'e>,
}

impl Links<'_, '_> {
    fn resolve(&mut self, path: &str) -> Result<(), Failure> {
        // Each round takes one path off; a link puts on what it leads to, and is not followed twice.
        let mut todo = vec![path.to_owned()];
        while let Some(path) = todo.pop() {
            self.effort.look()?;
            self.take(path.len())?;
            let path = below_root(&path);
            let mut current = String::new();
            let mut rest = path.as_str();
            loop {
                let (part, after) = rest.split_once('/').unwrap_or((rest, ""));
                current = join(&current, part);
                rest = after;
                let targets = self.targets(&current)?;
                if !targets.is_empty() || rest.is_empty() {
                    if self.resolved.insert(current) {
                        for target in &targets {
                            self.take(target.len() + rest.len())?;
                            todo.push(join(target, rest));
                        }
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        let is_over = self.resolved.len() > MOST_PATTERNS;
        self.left = self.left.checked_sub(bytes).filter(|_| !is_over).ok_or(Failure::TooManyLinks)?;
        Ok(())
    }

    /// What a link leads to; with wildcards in its name, what all the links do that they match.
    fn targets(&mut self, path: &str) -> Result<Vec<String>, Failure> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !name.contains(['*', '?', '[']) {
            return Ok(self.target(path).into_iter().collect());
        }
        // One at a time is in memory; making them is work.
        let mut room = Room::new();
        let glob = Glob::new(name, &mut room).map_err(|reason| Failure::pattern(path, reason))?;
        self.effort.spend(room.taken() as u64)?;
        let entries = match self.root.read_dir(if parent.is_empty() { "." } else { parent }) {
            Ok(entries) => entries,
            Err(error) if nothing_there(&error) => return Ok(Vec::new()),
            Err(error) => return Err(Failure::read(parent)(error)),
        };
        let mut targets = Vec::new();
        for entry in entries {
            let name = entry.map_err(Failure::read(parent))?.file_name();
            self.effort.spend(STEPS_OF_A_NAME)?;
            let Some(name) = name.to_str() else { continue };
            if glob.is_match(name, self.effort)? {
                targets.extend(self.target(&join(parent, name)));
            }
            if targets.len() > MOST_PATTERNS {
                return Err(Failure::TooManyLinks);
            }
        }
        targets.sort();
        Ok(targets)
    }

    /// The target of one link as a path below the root; None for what is no link, or cannot be sent anyway.
    fn target(&self, path: &str) -> Option<String> {
        let link = self.root.read_link_contents(path).ok()?;
        let link = link.to_str()?;
        if link.starts_with('/') {
            return Some(link.to_owned());
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        Some(join(parent, link))
    }
}

fn nothing_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A path as it would be if the directory were `/`: `..` cannot lead above it.
fn below_root(path: &str) -> String {
    let path = clean(path);
    path.trim_start_matches("../").trim_end_matches("..").to_owned()
}

fn join(parent: &str, child: &str) -> String {
    match (parent, child) {
        ("", path) | (path, "") => path.to_owned(),
        (parent, child) => format!("{parent}/{child}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn links_are_followed_inside_the_directory() {
        let tree = tempfile::tempdir().unwrap();
        let path = |name: &str| tree.path().join(name);
        std::fs::create_dir_all(path("real/deep")).unwrap();
        std::fs::write(path("real/deep/file"), "x").unwrap();
        symlink("real", path("dir")).unwrap();
        symlink("/real/deep/file", path("absolute")).unwrap();
        symlink("../../../etc/passwd", path("outside")).unwrap();
        symlink("loop/loop", path("loop")).unwrap();
        symlink(".", path("self")).unwrap();
        let root = Dir::open_ambient_dir(tree.path(), ambient_authority()).unwrap();
        let followed = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
            follow(&root, &paths, &mut Effort::new(&|| true)).unwrap()
        };
        let all = |paths: &[&str]| Some(paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
        assert_eq!(followed(&["real/deep"]), all(&["real/deep"]));
        assert_eq!(followed(&["/dir/deep/"]), all(&["dir", "real/deep"]));
        assert_eq!(followed(&["absolute"]), all(&["absolute", "real/deep/file"]));
        assert_eq!(followed(&["outside"]), all(&["etc/passwd", "outside"]));
        assert_eq!(followed(&["loop"]), all(&["loop"]));
        assert_eq!(followed(&["missing/x"]), all(&["missing/x"]));
        assert_eq!(followed(&["abs*", "d?r"]), all(&["abs*", "d?r", "real", "real/deep/file"]));
        for everything in [".", "/", "..", "self", "../.."] {
            assert_eq!(followed(&[everything]), None, "{everything}");
        }
    }
}
