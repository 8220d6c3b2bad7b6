//! Turns at what costs the server much: a few at once, fewer for one asker, and a line for all others.
//!
//! People and builds come by themselves, strangers by the networks of their addresses, and the two in turn: whoever asks for
//! hundreds of pages, or from hundreds of addresses of one network, waits for itself. Nobody holds anything of the server
//! while they wait.

mod asker;
mod line;

pub use asker::Asker;

use crate::error::{Error, Result};
use line::{Part, Wait};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot::{self, Receiver};

const RETRY_AFTER_SECS: u64 = 10;

/// How many turns there are at once, and how many of them one address may have. An account leaves one of them, and so do
/// strangers together.
pub struct Turns {
    all: usize,
    each: usize,
    line: Mutex<Part>,
}

/// The right to go on; it ends when it is dropped.
pub struct Turn {
    /// `None` in one that nobody took.
    of: Option<Arc<Turns>>,
    /// From the whole to the asker.
    path: Vec<u128>,
}

impl Turns {
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, line: Mutex::new(Part::new(all)) })
    }

    /// Waits for a turn, as long as `patience` at most: then 429 where the asker has its share, and 503 where all are taken.
    pub async fn soon(self: &Arc<Self>, asker: &Asker, patience: Duration) -> Result<Turn> {
        let mine = self.ask(asker, Wait::Short);
        if let Ok(Ok(turn)) = tokio::time::timeout(patience, mine).await {
            return Ok(turn);
        }
        if self.line.lock().expect("no holder panics").has_share(asker) {
            Err(Error::TooManyRequests { retry_after_secs: RETRY_AFTER_SECS })
        } else {
            Err(Error::Busy { retry_after_secs: RETRY_AFTER_SECS })
        }
    }

    /// Waits for a turn as long as it takes, behind those of the same asker who wait less long.
    pub async fn any_time(self: &Arc<Self>, asker: &Asker) -> Turn {
        self.ask(asker, Wait::AnyTime).await.expect("a line lives as long as its turns")
    }

    fn ask(self: &Arc<Self>, asker: &Asker, wait: Wait) -> Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let mut line = self.line.lock().expect("no holder panics");
        line.join(asker, (self.all, self.each), wait, sender);
        self.give(&mut line);
        receiver
    }

    /// Gives what turns there are to those whose turn it is.
    fn give(self: &Arc<Self>, line: &mut Part) {
        while line.give(self, &mut Vec::new()) {}
    }

    #[cfg(test)]
    pub fn bounds(&self) -> (usize, usize) {
        (self.all, self.each)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(of) = self.of.take() else { return };
        let mut line = of.line.lock().expect("no holder panics");
        line.release(&self.path);
        of.give(&mut line);
    }
}

#[cfg(test)]
mod tests;
