//! What the daemons themselves may use: memory together.
//!
//! They keep no layer in it, but read what a stranger wrote: a variable that is doubled in each line of a Dockerfile, or
//! patterns of a `.dockerignore` that stand for far more than they are long, take all there is.

use super::{MEMORY, memory, own, trees, with};
use crate::config::Config;
use std::path::{Path, PathBuf};

const LEAST: u64 = 1 << 30;

/// The group of this builder's daemons.
#[derive(Debug, Clone)]
pub(in super::super) struct Daemons(PathBuf);

impl Daemons {
    /// Makes it; none where nothing would hold its bound.
    pub(in super::super) fn group(config: &Config) -> Option<Self> {
        let trees = trees();
        let tree = with(&trees, MEMORY).ok()?;
        let group = tree.make(&group_of(&own()?), MEMORY);
        let bytes = (memory(config) / 3).max(LEAST);
        match group.and_then(|group| tree.bound_memory(&group, bytes).map(|()| group)) {
            Ok(group) => Some(Self(group)),
            Err(error) => {
                tracing::warn!("daemons run without a bound of memory: {error:#}");
                None
            }
        }
    }

    /// A process that writes `0` there is in it.
    pub(in super::super) fn door(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    /// How many were ended because they took too much.
    pub(in super::super) fn ended(&self) -> u64 {
        // The first is of v2, the second of v1.
        let texts = ["memory.events", "memory.oom_control"].map(|name| std::fs::read_to_string(self.0.join(name)));
        texts.iter().flatten().find_map(|text| kills(text)).unwrap_or(0)
    }
}

fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// Beside the group of the steps, whose bound is not that of the daemons.
pub(super) fn group_of(own: &Path) -> PathBuf {
    own.with_extension("daemons")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_that_a_daemon_took_too_much() {
        assert_eq!(kills("low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(kills("oom_kill_disable 0\n"), None);
    }
}
