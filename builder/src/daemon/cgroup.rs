//! What builds may use: RUN steps memory together, and processes for each daemon; the daemons themselves memory together.
//!
//! ```text
//! <mount>/slipway-builds/<pid>-<its start>/           memory of all steps of this builder
//!                        │   └── <daemon>/            processes; runc puts each step below
//!                        └── <pid>-<its start>.daemons/   memory of all its daemons
//! ```
//! The daemons are in a group beside the steps, so a step that takes too much ends alone. Where the machine has no cgroups to give, builds
//! run without these bounds, and `slipway doctor` says so.

mod daemons;

pub(super) use daemons::Daemons;

use super::slots::began;
use crate::config::Config;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

const TOP: &str = "slipway-builds";
const MEMORY: &str = "memory";
const PROCESSES: &str = "pids";

/// The group of one daemon's steps.
pub(super) struct Steps {
    builder: PathBuf,
    daemon: PathBuf,
}

/// One mounted tree of groups.
#[derive(Debug, PartialEq, Eq)]
struct Tree {
    mount: PathBuf,
    controllers: Vec<String>,
    is_v2: bool,
}

impl Steps {
    /// Makes the group, unless there is nothing that would hold its bounds.
    pub(super) fn start(config: &Config, state: &Path) -> Option<Self> {
        let builder = own()?;
        let daemon = builder.join(state.file_name()?);
        let steps = Self { builder, daemon };
        // What a killed daemon left.
        steps.remove();
        let trees = trees();
        let bounds = [
            (MEMORY, steps.bound_memory(&trees, memory(config))),
            (PROCESSES, steps.bound_processes(&trees, config.processes)),
        ];
        let held = bounds.map(|(what, bound)| match bound {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("builds run without a bound of {what}: {error:#}");
                false
            }
        });
        held.contains(&true).then_some(steps)
    }

    /// For BuildKit: from the root of each tree.
    pub(super) fn path(&self) -> String {
        format!("/{}", self.daemon.display())
    }

    fn bound_memory(&self, trees: &[Tree], bytes: u64) -> Result<()> {
        let tree = with(trees, MEMORY)?;
        tree.bound_memory(&tree.make(&self.builder, MEMORY)?, bytes)
    }

    fn bound_processes(&self, trees: &[Tree], number: u32) -> Result<()> {
        let group = with(trees, PROCESSES)?.make(&self.daemon, PROCESSES)?;
        write(&group, "pids.max", &number.to_string())
    }

    /// Removes it from all trees, as far as nothing runs in it.
    pub(super) fn remove(&self) {
        for tree in trees() {
            remove(&tree.mount.join(&self.daemon));
        }
    }
}

/// Removes what builders left that were killed.
pub(super) fn remove_dead() {
    for tree in trees() {
        for group in std::fs::read_dir(tree.mount.join(TOP)).into_iter().flatten().flatten() {
            if group.file_name().to_str().and_then(owner).is_some_and(|(pid, start)| began(pid) != Some(start)) {
                remove(&group.path());
            }
        }
    }
}

/// Removes what this builder has, when its daemons are gone.
pub(super) fn remove_own() {
    let Some(own) = own() else { return };
    for tree in trees() {
        remove(&tree.mount.join(&own));
        remove(&tree.mount.join(daemons::group_of(&own)));
    }
}

/// Why RUN steps would have no bounds here; `None` when they have.
pub(crate) fn missing() -> Option<String> {
    let trees = trees();
    [MEMORY, PROCESSES].into_iter().find_map(|controller| {
        let tree = with(&trees, controller).err().map(|error| error.to_string());
        tree.or_else(|| {
            let tree = with(&trees, controller).ok()?;
            let writable = rustix::fs::access(&tree.mount, rustix::fs::Access::WRITE_OK);
            let closed = writable.err().map(|error| format!("{} cannot be written: {error}", tree.mount.display()));
            closed.or_else(|| tree.cannot_hand_on(controller))
        })
    })
}

impl Tree {
    fn bound_memory(&self, group: &Path, bytes: u64) -> Result<()> {
        let bytes = bytes.to_string();
        if self.is_v2 {
            // Swap would only make it slow before it ends. Not each kernel accounts for it.
            let _ = write(group, "memory.swap.max", "0");
            return write(group, "memory.max", &bytes);
        }
        // Memory and swap together may not be below memory: which is first depends on what was there.
        let _ = write(group, "memory.memsw.limit_in_bytes", &bytes);
        write(group, "memory.limit_in_bytes", &bytes)?;
        let _ = write(group, "memory.memsw.limit_in_bytes", &bytes);
        Ok(())
    }

    /// In v2 only the machine's own root may hold processes and hand a controller to groups below.
    fn cannot_hand_on(&self, controller: &str) -> Option<String> {
        let read = |name: &str| std::fs::read_to_string(self.mount.join(name)).unwrap_or_default();
        let is_handed_on = read("cgroup.subtree_control").split_ascii_whitespace().any(|name| name == controller);
        let is_container = self.mount.join("cgroup.type").exists();
        let has_processes = !read("cgroup.procs").trim().is_empty();
        (self.is_v2 && is_container && has_processes && !is_handed_on)
            .then(|| format!("{} holds processes, so no group below it can be bounded", self.mount.display()))
    }

    /// Makes a group in which a controller can bound something.
    fn make(&self, group: &Path, controller: &str) -> Result<PathBuf> {
        let dir = self.mount.join(group);
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        if self.is_v2 {
            // Each group hands it on to those below.
            let mut above: Vec<_> = dir.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.mount)).collect();
            above.reverse();
            for dir in above {
                write(dir, "cgroup.subtree_control", &format!("+{controller}"))?;
            }
        }
        Ok(dir)
    }
}

fn with<'a>(trees: &'a [Tree], controller: &str) -> Result<&'a Tree> {
    let found = trees.iter().find(|tree| tree.controllers.iter().any(|name| name == controller));
    ensure!(found.is_some(), "this machine has no cgroup with the controller `{controller}`");
    found.context("it is there")
}

fn trees() -> Vec<Tree> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().filter_map(tree).collect()
}

/// `<device> <folder> <type> <options> …`; of v1 the options name the controllers.
fn tree(mount: &str) -> Option<Tree> {
    let mut fields = mount.split_ascii_whitespace().skip(1);
    let (folder, kind, options) = (PathBuf::from(fields.next()?), fields.next()?, fields.next()?);
    let (names, is_v2) = match kind {
        "cgroup" => (options.replace(',', " "), false),
        "cgroup2" => (std::fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default(), true),
        _ => return None,
    };
    let controllers = names.split_ascii_whitespace().map(str::to_owned).collect();
    Some(Tree { mount: folder, controllers, is_v2 })
}

/// Several builders may run on a machine.
fn own() -> Option<PathBuf> {
    let pid = std::process::id();
    Some(Path::new(TOP).join(format!("{pid}-{}", began(pid)?)))
}

/// The process whose group it is, and when that began.
fn owner(group: &str) -> Option<(u32, u64)> {
    let (pid, start) = group.split('.').next()?.split_once('-')?;
    Some((pid.parse().ok()?, start.parse().ok()?))
}

/// What the operator set, or three quarters of what there is: the rest is the server's and the daemons'.
fn memory(config: &Config) -> u64 {
    if config.memory_bytes > 0 {
        return config.memory_bytes;
    }
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    total.map_or(4 << 30, |kib: u64| (kib << 10) / 4 * 3)
}

fn write(group: &Path, name: &str, text: &str) -> Result<()> {
    let file = group.join(name);
    std::fs::write(&file, text).with_context(|| format!("write `{text}` to {}", file.display()))
}

/// Groups are removed from the innermost, and only when they are empty.
fn remove(group: &Path) {
    for inner in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if inner.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&inner.path());
        }
    }
    let _ = std::fs::remove_dir(group);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_read_from_the_table_of_mounts() {
        let both = tree("cgroup /sys/fs/cgroup/cpu,memory cgroup rw,nosuid,cpu,memory 0 0").unwrap();
        assert_eq!(both.mount, Path::new("/sys/fs/cgroup/cpu,memory"));
        assert!(!both.is_v2);
        assert!(with(std::slice::from_ref(&both), MEMORY).is_ok());
        let error = with(&[both], PROCESSES).unwrap_err();
        assert_eq!(error.to_string(), "this machine has no cgroup with the controller `pids`");
        assert_eq!(tree("tmpfs /run tmpfs rw 0 0"), None);
    }

    #[test]
    fn a_group_of_v2_hands_its_controllers_down() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree { mount: dir.path().join("mount"), controllers: Vec::new(), is_v2: true };
        let group = tree.make(Path::new("top/builder/daemon"), PROCESSES).unwrap();
        let handed = |place: &str| std::fs::read_to_string(tree.mount.join(place).join("cgroup.subtree_control"));
        for place in ["", "top", "top/builder"] {
            assert_eq!(handed(place).unwrap(), "+pids", "{place}");
        }
        // A group that hands controllers down can hold no process: the last one is where they are.
        assert!(!group.join("cgroup.subtree_control").exists());
        assert!(!dir.path().join("cgroup.subtree_control").exists());
    }

    #[test]
    fn a_containers_root_with_processes_hands_nothing_on() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree { mount: dir.path().to_owned(), controllers: Vec::new(), is_v2: true };
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("cgroup.procs", "1\n");
        assert_eq!(tree.cannot_hand_on(PROCESSES), None, "the machine's own root may");
        write("cgroup.type", "domain\n");
        assert!(tree.cannot_hand_on(PROCESSES).unwrap().contains("holds processes"));
        write("cgroup.subtree_control", "memory pids\n");
        assert_eq!(tree.cannot_hand_on(PROCESSES), None);
    }

    #[test]
    fn a_group_tells_whose_it_is() {
        let own = own().unwrap();
        let (pid, start) = owner(own.file_name().unwrap().to_str().unwrap()).unwrap();
        assert_eq!((pid, Some(start)), (std::process::id(), began(pid)));
        assert_eq!(owner("12-34"), Some((12, 34)));
        assert_eq!(owner("12-34.daemons"), Some((12, 34)));
        assert_eq!(owner("buildkit"), None);
    }

    #[test]
    fn the_memory_is_what_was_set_or_a_part_of_the_machine_s() {
        let server = url::Url::parse("http://127.0.0.1:1").unwrap();
        let config = Config { memory_bytes: 5, ..Config::new(server, "t", "/work") };
        assert_eq!(memory(&config), 5);
        let all = memory(&Config { memory_bytes: 0, ..config });
        assert!(all > 100 << 20, "{all}");
    }
}
