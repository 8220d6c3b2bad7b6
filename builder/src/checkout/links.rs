//! Links in a checkout, read and never followed by the system: what they lead to is told by the commit alone, and nothing is
//! told of the machine.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lead {
    /// To something, by its path without links.
    There(PathBuf),
    /// To nothing; `by_link` unless the path itself is the one that is not there. Behind an absolute link the path is
    /// absolute: it may be meant for an image.
    Nowhere { path: PathBuf, by_link: bool },
    /// Above the top.
    Out,
    /// From one link to the next.
    Round,
}

/// Follows `path` below `root`, which no link leaves: absolute ones begin there.
pub(crate) fn follow(root: &Path, path: &Path) -> Lead {
    let mut left: VecDeque<OsString> = VecDeque::new();
    let (mut at, mut links, mut is_absolute) = (PathBuf::new(), 0, false);
    put_before(&mut left, path);
    while let Some(part) = left.pop_front() {
        if part == ".." {
            if !at.pop() {
                return Lead::Out;
            }
            continue;
        }
        let next = at.join(&part);
        let whole = root.join(&next);
        match whole.symlink_metadata() {
            Err(_absent) => {
                let path = left.iter().fold(next, |path, part| path.join(part));
                let path = if is_absolute { Path::new("/").join(path) } else { path };
                return Lead::Nowhere { path, by_link: links > 0 };
            }
            Ok(found) if found.is_symlink() => {
                links += 1;
                let Some(target) = whole.read_link().ok().filter(|_| links <= MOST_LINKS) else {
                    // `etc -> /etc` does not mean itself.
                    return if is_absolute { Lead::Out } else { Lead::Round };
                };
                if target.is_absolute() {
                    (at, is_absolute) = (PathBuf::new(), true);
                }
                put_before(&mut left, &target);
            }
            Ok(_) => at = next,
        }
    }
    Lead::There(at)
}

fn put_before(left: &mut VecDeque<OsString>, path: &Path) {
    for part in path.components().rev() {
        match part {
            Component::Normal(name) => left.push_front(name.to_owned()),
            Component::ParentDir => left.push_front("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_read_within_the_root_and_tell_nothing_of_what_is_outside() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("files");
        std::fs::create_dir_all(root.join("deploy/sub")).unwrap();
        std::fs::write(outside.path().join("secret"), "").unwrap();
        std::fs::write(root.join("deploy/D"), "").unwrap();
        let absolute = outside.path().join("secret");
        for (name, target) in [
            ("relative", "deploy/D"),
            ("absolute", "/deploy/D"),
            ("twice", "absolute"),
            ("folder", "deploy/sub"),
            ("back", "deploy/../deploy/D"),
            ("dangling", "deploy/E"),
            ("present", "../secret"),
            ("not-present", "../nothing"),
            ("far", "../../../../../../../../etc/passwd"),
            ("of-the-machine", absolute.to_str().unwrap()),
            ("round", "round"),
            ("etc", "/etc"),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        let there = |path: &str| Lead::There(path.into());
        let nowhere = |path: &str, by_link| Lead::Nowhere { path: path.into(), by_link };
        for (path, expected) in [
            ("", there("")),
            ("deploy/D", there("deploy/D")),
            ("relative", there("deploy/D")),
            ("absolute", there("deploy/D")),
            ("twice", there("deploy/D")),
            ("back", there("deploy/D")),
            ("folder", there("deploy/sub")),
            ("nothing/at/all", nowhere("nothing/at/all", false)),
            ("deploy/D/x", nowhere("deploy/D/x", false)),
            ("dangling", nowhere("deploy/E", true)),
            ("folder/x", nowhere("deploy/sub/x", true)),
            ("present", Lead::Out),
            ("not-present", Lead::Out),
            ("far", Lead::Out),
            ("of-the-machine", nowhere(absolute.to_str().unwrap(), true)),
            ("etc/passwd", Lead::Out),
            ("round", Lead::Round),
        ] {
            assert_eq!(follow(&root, Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_long_chain_of_links_is_given_up() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("0"), "").unwrap();
        for n in 1..=41 {
            symlink((n - 1).to_string(), root.path().join(n.to_string())).unwrap();
        }
        assert_eq!(follow(root.path(), Path::new("40")), Lead::There("0".into()));
        assert_eq!(follow(root.path(), Path::new("41")), Lead::Round);
    }
}
