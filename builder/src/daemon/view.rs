//! What a daemon sees of this machine's files: not the folders that hold the data of others, but its own part of them.
//!
//! The daemon is root, and so is what it starts beside the steps (git, network plugins). It has a mount namespace of its
//! own, in which an empty folder lies over each hidden one, with the parts that the daemon needs in their places.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Done by the shell that becomes the daemon: `<what> <path> <path>`, three words each, then `--` and the program.
///
/// `empty` mounts an empty folder, `dir` and `file` make places in it, `bind` shows one path in another's place, and
/// `move` puts a folder that is ready over what it hides.
pub(super) const SCRIPT: &str = "\
    while [ \"$1\" != -- ]; do \
        case $1 in \
            empty) mount -t tmpfs -o mode=711,size=1m slipway \"$2\";; \
            dir) mkdir -p \"$2\";; \
            file) : >\"$2\";; \
            bind) mount --bind \"$2\" \"$3\";; \
            move) mount --move \"$2\" \"$3\";; \
            *) false;; \
        esac || exit; \
        shift 3; \
    done; \
    shift; exec \"$@\"";

/// The steps of a view, in order.
#[derive(Debug, Default)]
pub(super) struct View(Vec<OsString>);

impl View {
    /// Shows `shown` in the place of `place`; both are there.
    pub(super) fn bind(&mut self, shown: &Path, place: &Path) {
        self.step("bind", shown, place);
    }

    /// Leaves of `folder` only what is in `kept`. `stage` is an empty folder where it is prepared.
    pub(super) fn hide(&mut self, folder: &Path, kept: &[PathBuf], stage: &Path) {
        self.step("empty", stage, Path::new(""));
        for path in outermost(kept, folder) {
            let Ok(below) = path.strip_prefix(folder) else { continue };
            let place = stage.join(below);
            if path.is_dir() {
                self.step("dir", &place, Path::new(""));
            } else {
                self.step("dir", place.parent().unwrap_or(stage), Path::new(""));
                self.step("file", &place, Path::new(""));
            }
            self.step("bind", &path, &place);
        }
        self.step("move", stage, folder);
    }

    fn step(&mut self, what: &str, first: &Path, second: &Path) {
        self.0.extend([OsStr::new(what), first.as_os_str(), second.as_os_str()].map(OsStr::to_owned));
    }

    pub(super) fn words(&self) -> &[OsString] {
        &self.0
    }
}

/// The folders to hide, each once, and none that is inside another or holds what the whole machine needs.
pub(super) fn hidden(folders: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = folders.into_iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    folders.sort();
    folders.dedup();
    let all = folders.clone();
    folders.retain(|folder| {
        let inside = all.iter().any(|other| folder != other && folder.starts_with(other) && !holds_the_system(other));
        !inside && !holds_the_system(folder)
    });
    folders
}

/// Whether programs would miss it.
fn holds_the_system(folder: &Path) -> bool {
    const SYSTEM: &[&str] = &[
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/lib",
        "/lib64",
        "/proc",
        "/run",
        "/sbin",
        "/sys",
        "/tmp",
        "/usr",
        "/var/lib/cni",
    ];
    SYSTEM.iter().any(|path| Path::new(path).starts_with(folder))
}

/// Those inside the folder, each once, and none inside another.
fn outermost(paths: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    let found = paths.iter().filter_map(|path| path.canonicalize().ok());
    let mut inside: Vec<PathBuf> = found.filter(|path| path != folder && path.starts_with(folder)).collect();
    inside.sort();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for path in inside {
        if !outermost.last().is_some_and(|before| path.starts_with(before)) {
            outermost.push(path);
        }
    }
    outermost
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_hidden_folder_has_its_kept_parts_and_nothing_else() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let own = data.join("builder/daemons/a b");
        for folder in [data.join("keys"), own.join("stage"), data.join("builder/daemons/other")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for file in [data.join("keys/master.key"), data.join("bundle.pem"), own.join("state")] {
            std::fs::write(file, "x").unwrap();
        }
        let mut view = View::default();
        view.hide(
            &data,
            &[own.clone(), own.join("stage"), data.join("bundle.pem"), dir.path().to_owned(), data.clone()],
            &own.join("stage"),
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", SCRIPT, "sh"]).args(view.words()).args(["--", "find"]).arg(&data);
        let output = command.output().unwrap();
        let seen = String::from_utf8(output.stdout).unwrap();
        let mut seen: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix(data.to_str().unwrap())).collect();
        seen.sort_unstable();
        let own = ["", "/builder", "/builder/daemons", "/builder/daemons/a b"];
        let files = ["/builder/daemons/a b/stage", "/builder/daemons/a b/state", "/bundle.pem"];
        assert_eq!(seen, [&own[..], &files].concat(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(data.join("keys/master.key").exists(), "outside all is as it was");
    }

    #[test]
    fn folders_of_the_system_and_folders_inside_others_are_not_hidden_by_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let (data, inner) = (dir.path().join("data"), dir.path().join("data/builder"));
        std::fs::create_dir_all(&inner).unwrap();
        let folders =
            [inner, data.clone(), PathBuf::from("/"), PathBuf::from("/usr"), PathBuf::from("/var"), data.clone()];
        assert_eq!(hidden(folders), [data.canonicalize().unwrap()]);
    }
}
