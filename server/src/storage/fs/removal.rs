//! Files go for good: a loss of power must not bring one back after its row went.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Removes files, and syncs each folder once when all of its own went. Says what became of each, in the same order; one
/// that was not there is gone.
pub fn remove_all(paths: &[PathBuf]) -> Vec<io::Result<()>> {
    remove_and_sync(paths, |folder| File::open(folder)?.sync_all())
}

fn remove_and_sync(paths: &[PathBuf], sync: impl Fn(&Path) -> io::Result<()>) -> Vec<io::Result<()>> {
    let mut done: Vec<_> = paths.iter().map(|path| gone(std::fs::remove_file(path))).collect();
    let mut folders: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (at, path) in paths.iter().enumerate().filter(|(at, _)| done[*at].is_ok()) {
        folders.entry(path.parent().unwrap_or(path)).or_default().push(at);
    }
    for (folder, files) in folders {
        if let Err(error) = gone(sync(folder)) {
            for at in files {
                done[at] = Err(io::Error::new(error.kind(), error.to_string()));
            }
        }
    }
    done
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn a_folder_is_synced_once_after_its_files_went() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("a")).unwrap();
        for name in ["a/1", "a/2"] {
            std::fs::write(at(name), "bytes").unwrap();
        }
        let synced = RefCell::new(Vec::new());
        let done = remove_and_sync(&[at("a/1"), at("a/2"), at("a/gone")], |folder| {
            assert!(!at("a/1").exists() && !at("a/2").exists());
            synced.borrow_mut().push(folder.to_owned());
            Ok(())
        });
        assert!(done.iter().all(Result::is_ok));
        assert_eq!(*synced.borrow(), [at("a")]);
    }

    #[test]
    fn what_is_not_synced_has_not_gone_and_keeps_no_other_from_going() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for folder in ["a", "b", "c", "c/stuck"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        let sync = |folder: &Path| if folder.ends_with("a") { Err(io::Error::other("no power")) } else { Ok(()) };
        let done = remove_and_sync(&[at("a/1"), at("b/1"), at("c/stuck"), at("c/1")], sync);
        assert_eq!(done.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false, true]);
    }
}
