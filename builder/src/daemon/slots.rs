//! Which network each daemon of this machine has.
//!
//! A slot is a number; its subnet is the n-th `/24`: the lower half for the RUN steps behind the daemon, the upper one
//! for the way out of the daemon's own namespace. The table is one file for the whole machine, because several
//! builders may run on it; a slot is held while its daemon runs, and preferred by the same daemon next time.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// A slot in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    file: PathBuf,
    pub(crate) number: u8,
    network: Ipv4Addr,
}

#[derive(Default, Serialize, Deserialize)]
struct Table(BTreeMap<u8, Row>);

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    /// The daemon's state folder.
    owner: String,
    /// The builder that runs it, and when that process began; a dead one holds nothing.
    pid: Option<u32>,
    began: u64,
}

impl Slot {
    /// Takes a slot for the daemon whose state is in `owner`.
    pub(crate) fn take(run_dir: &Path, network: Ipv4Addr, owner: &Path) -> Result<Self> {
        let file = run_dir.join("networks.json");
        let owner = owner.to_string_lossy().into_owned();
        let number = edit(&file, |table| {
            let number = table.choose(&owner)?;
            let pid = std::process::id();
            let row = Row { owner, pid: Some(pid), began: began(pid).unwrap_or(0) };
            table.0.insert(number, row);
            Some(number)
        })?;
        let Some(number) = number else {
            bail!("all 256 networks for builds are in use on this machine");
        };
        Ok(Self { file, number, network })
    }

    /// Where the RUN steps are.
    pub(crate) fn subnet(&self) -> String {
        format!("{}/25", self.host(0))
    }

    /// The daemon's own address.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.host(130)
    }

    /// This machine, as the daemon sees it.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.host(129)
    }

    fn host(&self, number: u8) -> Ipv4Addr {
        let [a, b, ..] = self.network.octets();
        Ipv4Addr::new(a, b, self.number, number)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let freed = edit(&self.file, |table| {
            if let Some(row) = table.0.get_mut(&self.number) {
                row.pid = None;
            }
        });
        if let Err(error) = freed {
            tracing::warn!("free network {}: {error:#}", self.number);
        }
    }
}

impl Table {
    /// The owner's last slot, else one that nobody had, else any free one.
    fn choose(&self, owner: &str) -> Option<u8> {
        let free = |number: &u8| self.0.get(number).is_none_or(|row| !row.is_held());
        let last = self.0.iter().find(|(_, row)| row.owner == owner);
        last.map(|(number, _)| *number)
            .filter(free)
            .or_else(|| (0..=u8::MAX).find(|number| !self.0.contains_key(number)))
            .or_else(|| (0..=u8::MAX).find(free))
    }
}

impl Row {
    fn is_held(&self) -> bool {
        self.pid.is_some_and(|pid| began(pid) == Some(self.began))
    }
}

/// When a process began, in clock ticks: tells it from a later one with the same number.
pub(super) fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything.
    let rest = &stat[stat.rfind(')')? + 1..];
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Changes the table while no other process does. It is whole at any moment: a slot that is forgotten is given twice.
fn edit<T>(file: &Path, change: impl FnOnce(&mut Table) -> T) -> Result<T> {
    let name = || format!("the table of networks {}", file.display());
    let lock = File::options().create(true).append(true).open(file.with_extension("lock")).with_context(name)?;
    flock(&lock, FlockOperation::LockExclusive).with_context(name)?;
    let mut table = match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).with_context(name)?,
        Err(error) if error.kind() == ErrorKind::NotFound => Table::default(),
        Err(error) => return Err(error).with_context(name),
    };
    let result = change(&mut table);
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, serde_json::to_vec(&table)?).with_context(name)?;
    std::fs::rename(&fresh, file).with_context(name)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 181, 0, 0);

    fn take(dir: &Path, owner: &str) -> Slot {
        Slot::take(dir, NETWORK, Path::new(owner)).unwrap()
    }

    #[test]
    fn daemons_that_run_have_different_networks() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (take(dir.path(), "a"), take(dir.path(), "b"));
        assert_ne!(a.number, b.number);
        assert_eq!(b.subnet(), "10.181.1.0/25");
        assert_eq!(b.address().to_string(), "10.181.1.130");
    }

    #[test]
    fn a_daemon_gets_its_network_again() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (take(dir.path(), "a"), take(dir.path(), "b"));
        let number = b.number;
        drop((a, b));
        let c = take(dir.path(), "c");
        assert_eq!(take(dir.path(), "b").number, number);
        assert_eq!(c.number, 2, "what others had is left to them while there is more");
    }

    #[test]
    fn networks_of_dead_builders_are_used_again_when_none_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut table = Table::default();
        for number in 0..=u8::MAX {
            let row = Row { owner: format!("gone {number}"), pid: Some(u32::MAX), began: 1 };
            table.0.insert(number, row);
        }
        let text = serde_json::to_string(&table).unwrap();
        std::fs::write(dir.path().join("networks.json"), text).unwrap();
        assert_eq!(take(dir.path(), "new").number, 0);
    }

    #[test]
    fn no_network_is_held_twice_while_many_are_taken_and_freed() {
        let dir = tempfile::tempdir().unwrap();
        let held = Mutex::new(BTreeSet::new());
        let work = |builder: usize| {
            for turn in 0..40 {
                // Now a daemon that comes again, now a new one.
                let slot = take(dir.path(), &format!("{builder} {}", turn % 3));
                assert!(held.lock().unwrap().insert(slot.number), "network {} is held twice", slot.number);
                std::thread::yield_now();
                held.lock().unwrap().remove(&slot.number);
                drop(slot);
            }
        };
        std::thread::scope(|scope| {
            for builder in 0..8 {
                let work = &work;
                scope.spawn(move || work(builder));
            }
        });
    }
}
