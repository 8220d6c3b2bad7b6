//! Frees disk space from daemons that do not run.
//!
//! BuildKit collects its own garbage while it runs; the state of a trust domain that nobody builds in any more is
//! touched by no daemon. It is all cache: a build without it is slower and no different.

use super::Pool;
use crate::readiness::free_bytes;
use std::path::PathBuf;
use std::time::SystemTime;

impl Pool {
    /// Removes the state that was used longest ago, until there is room.
    pub(super) async fn make_room(&self) {
        for state in self.stopped_longest_first() {
            if free_bytes(&self.config.work_dir).is_none_or(|free| free >= self.config.wanted_free()) {
                return;
            }
            let place = self.domain(&state);
            // Who holds the lock is starting a build; a daemon that is there is in use.
            let Ok(place) = place.try_lock() else {
                continue;
            };
            if place.is_some() {
                continue;
            }
            tracing::info!("the disk fills: removing the build cache in {}", state.display());
            let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(state));
            if let Ok(Err(error)) = removed.await {
                tracing::warn!("remove a build cache: {error}");
            }
        }
    }

    fn stopped_longest_first(&self) -> Vec<PathBuf> {
        let states = std::fs::read_dir(self.config.work_dir.join("daemons"));
        let mut states: Vec<(SystemTime, PathBuf)> = states
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|state| {
                // Written at each start.
                let settings = state.path().join("buildkitd.toml").metadata();
                Some((settings.ok()?.modified().ok()?, state.path()))
            })
            .collect();
        states.sort();
        states.into_iter().map(|(_, state)| state).collect()
    }
}
