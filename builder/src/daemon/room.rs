//! Frees disk space: from daemons that do not run, and in need from those that do.
//!
//! BuildKit collects its own garbage while it runs; the state of a trust domain that nobody builds in any more is
//! touched by no daemon. It is all cache: a build without it is slower and no different.

use super::Pool;
use super::running::Running;
use crate::readiness::free_bytes;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

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

    /// Ends the builds of the daemon that wrote most, when what can be removed was not enough. A step that has filled the
    /// disk and waits would else stop everything, for as long as a build may take.
    pub(super) async fn stop_fillers(&self) {
        let free = free_bytes(&self.config.work_dir);
        if free.is_none_or(|free| free >= self.config.min_free_bytes / 2) {
            return;
        }
        let mut worst: Option<(u64, Arc<Running>)> = None;
        for daemon in self.in_use() {
            let (root, since) = daemon.written();
            let bytes = tokio::task::spawn_blocking(move || written_since(&root, since)).await.unwrap_or(0);
            if worst.as_ref().is_none_or(|(most, _)| bytes > *most) {
                worst = Some((bytes, daemon));
            }
        }
        let Some((bytes, daemon)) = worst else {
            return;
        };
        tracing::error!("the disk is full: ending the builds of a daemon that wrote {} MiB", bytes >> 20);
        daemon.filled_disk.store(true, Ordering::Release);
        daemon.stop_at_once().await;
        self.stop_idle().await;
        self.make_room().await;
    }

    fn in_use(&self) -> Vec<Arc<Running>> {
        let all = self.all();
        // Who holds the lock is starting a build.
        let running = all.iter().filter_map(|place| place.try_lock().ok()?.clone());
        running.filter(|daemon| daemon.is_alive() && daemon.users.load(Ordering::Acquire) > 0).collect()
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

/// Bytes in files that changed since then. It is the change of the file itself that counts: its other time can be set.
fn written_since(dir: &Path, since: SystemTime) -> u64 {
    let since = since.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs().cast_signed());
    let mut bytes = 0;
    // Steps nest folders as deep as they like: neither the stack nor the open files may grow with that.
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else if meta.ctime() >= since {
                bytes += meta.blocks() * 512;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_builds_wrote_is_known_by_the_time_of_change() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let file = std::fs::File::create(inner.join("x")).unwrap();
        std::io::Write::write_all(&mut &file, &vec![1; 1 << 20]).unwrap();
        // As a step does that hides what it wrote.
        file.set_modified(UNIX_EPOCH).unwrap();
        file.sync_all().unwrap();
        #[expect(clippy::disallowed_methods, reason = "compared with times of files")]
        let now = SystemTime::now();
        assert!(written_since(dir.path(), now - Duration::from_mins(1)) >= 1 << 20);
        assert_eq!(written_since(dir.path(), now + Duration::from_mins(1)), 0);
    }

    #[test]
    fn folders_may_be_as_deep_as_a_path_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let mut deep = dir.path().to_owned();
        while deep.as_os_str().len() < 4_000 {
            deep.push("d");
        }
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("x"), [1; 4096]).unwrap();
        let small = || assert!(written_since(dir.path(), UNIX_EPOCH) >= 4096);
        // A tenth of what the thread has that asks.
        std::thread::scope(|s| {
            std::thread::Builder::new().stack_size(200 << 10).spawn_scoped(s, small).unwrap().join().unwrap();
        });
    }
}
