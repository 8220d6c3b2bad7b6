//! Wakes those who wait in this process: workers for jobs, builders for builds, pages for logs.
//!
//! A wake-up is a hint: whoever wakes asks the database. Nothing is lost when one is missed, since waiters also look now and then.

use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

#[derive(Default)]
pub struct Wake {
    /// Counts the times that jobs were added. A count, so that no lane misses one that came while it looked.
    jobs: watch::Sender<u64>,
    /// Builds were queued.
    pub builds: Notify,
    topics: Mutex<HashMap<Uuid, watch::Sender<u64>>>,
    stopping: watch::Sender<bool>,
}

impl Wake {
    /// Jobs were added.
    pub fn jobs_added(&self) {
        self.jobs.send_modify(|n| *n += 1);
    }

    /// Follows the adding of jobs.
    pub fn follow_jobs(&self) -> watch::Receiver<u64> {
        self.jobs.subscribe()
    }

    /// Follows a build or a repository: the number grows with each change.
    pub fn follow(&self, topic: Uuid) -> watch::Receiver<u64> {
        let mut topics = self.topics.lock().expect("no holder panics");
        // Those that nobody follows any more go when others come.
        topics.retain(|_, sender| sender.receiver_count() > 0);
        topics.entry(topic).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// The server stops: live pages let go, and come back when it is up again.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
        self.builds.notify_waiters();
    }

    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ends when the server stops.
    pub async fn stopped(&self) {
        self.stopping.subscribe().wait_for(|stop| *stop).await.ok();
    }

    /// How many follow a build or a repository.
    pub fn followers(&self, topic: Uuid) -> usize {
        self.topics.lock().expect("no holder panics").get(&topic).map_or(0, watch::Sender::receiver_count)
    }

    /// Something about this build or repository changed.
    pub fn changed(&self, topic: Uuid) {
        if let Some(sender) = self.topics.lock().expect("no holder panics").get(&topic) {
            sender.send_modify(|n| *n += 1);
        }
    }
}
