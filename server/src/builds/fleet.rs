//! What builders said last: who is there, and why none takes work. In memory, since it is about now.

use crate::clock::{MINUTE, Millis};
use std::collections::HashMap;
use std::sync::Mutex;

/// A builder that is silent for so long is gone.
const SILENT: Millis = 90 * 1_000;
/// Names come from builders; this many is more than any fleet has.
const MOST: usize = 1_000;

#[derive(Default)]
pub struct Fleet(Mutex<HashMap<String, Seen>>);

/// One builder, as it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub name: String,
    pub at: Millis,
    pub platforms: Vec<String>,
    /// Free places when it last asked for work.
    pub slots: u32,
    /// Why it takes no work.
    pub unable: Option<String>,
}

impl Fleet {
    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<String, Seen>> {
        self.0.lock().expect("no holder panics")
    }

    /// A builder asked for work.
    pub fn asked(&self, seen: Seen) {
        let mut all = self.seen();
        let oldest = seen.at - 10 * MINUTE;
        all.retain(|_, s| s.at > oldest);
        if all.len() < MOST || all.contains_key(&seen.name) {
            all.insert(seen.name.clone(), seen);
        }
    }

    /// A builder that works was heard of.
    pub fn heard(&self, name: &str, now: Millis) {
        if let Some(seen) = self.seen().get_mut(name) {
            seen.at = now;
        }
    }

    /// Builders heard of lately, by name.
    pub fn list(&self, now: Millis) -> Vec<Seen> {
        let mut list: Vec<_> = self.seen().values().filter(|s| now - s.at < SILENT).cloned().collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// Why a build for `platforms` waits although no other is before it; `None` when some builder can take it.
    pub fn why_waiting(&self, platforms: &[String], now: Millis) -> Option<String> {
        let list = self.list(now);
        if list.is_empty() {
            return Some("no builder is connected".to_owned());
        }
        let able: Vec<_> = list.iter().filter(|s| s.unable.is_none()).collect();
        if able.is_empty() {
            return list.into_iter().find_map(|s| s.unable).map(|why| format!("no builder can run builds: {why}"));
        }
        let fits = |s: &&Seen| slipway_protocol::foreign(platforms, &s.platforms).is_none();
        if able.iter().any(fits) {
            return None;
        }
        Some(format!("no builder runs {}", platforms.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, at: Millis, unable: Option<&str>) -> Seen {
        let platforms = vec!["linux/amd64".to_owned()];
        Seen { name: name.into(), at, platforms, slots: 1, unable: unable.map(str::to_owned) }
    }

    #[test]
    fn a_waiting_build_says_what_it_waits_for() {
        let fleet = Fleet::default();
        let amd = ["linux/amd64".to_owned()];
        assert!(fleet.why_waiting(&amd, 0).unwrap().contains("no builder is connected"));
        fleet.asked(seen("a", 0, Some("the disk is full")));
        assert!(fleet.why_waiting(&amd, 1).unwrap().contains("the disk is full"));
        fleet.asked(seen("b", 0, None));
        assert_eq!(fleet.why_waiting(&amd, 1), None);
        assert!(fleet.why_waiting(&["linux/s390x".to_owned()], 1).unwrap().contains("linux/s390x"));
        assert!(fleet.why_waiting(&amd, SILENT).is_some());
        fleet.heard("b", SILENT);
        assert_eq!(fleet.why_waiting(&amd, SILENT + 1), None);
    }
}
