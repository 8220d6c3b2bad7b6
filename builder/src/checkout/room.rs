//! Removes mirrors that nobody builds from, and more of them when the disk fills.
//!
//! A mirror that is gone is fetched anew: the next build of its source is slower and no different.

use super::Checkouts;
use crate::readiness::free_bytes;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// A mirror that no build fetched into for so long is removed.
const LIFE: Duration = Duration::from_hours(30 * 24);

impl Checkouts {
    /// Takes the mirrors that were used longest ago, and none that a build works on.
    pub(crate) async fn make_room(&self) {
        for (changed, mirror) in self.longest_first() {
            let is_old = changed.elapsed().is_ok_and(|age| age > LIFE);
            let is_low = || free_bytes(&self.mirrors).is_some_and(|free| free < self.wanted_free);
            if !is_old && !is_low() {
                return;
            }
            let lock = mirror.file_name().and_then(|name| name.to_str()?.parse().ok()).map(|id: Uuid| self.lock(id));
            let held = match &lock {
                Some(lock) => match lock.try_lock() {
                    Ok(held) => Some(held),
                    Err(_in_use) => continue,
                },
                // Not a mirror of ours.
                None => None,
            };
            tracing::info!("removing the mirror {}", mirror.display());
            let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(mirror)).await;
            if let Ok(Err(error)) = removed {
                tracing::warn!("remove a mirror: {error}");
            }
            drop(held);
        }
    }

    fn longest_first(&self) -> Vec<(SystemTime, PathBuf)> {
        let mirrors = std::fs::read_dir(&self.mirrors).into_iter().flatten().flatten();
        let mut mirrors: Vec<_> = mirrors
            // Each fetch writes `shallow` anew, and with it the folder's time.
            .filter_map(|mirror| Some((mirror.metadata().ok()?.modified().ok()?, mirror.path())))
            .collect();
        mirrors.sort();
        mirrors
    }
}
