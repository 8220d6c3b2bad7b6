//! The records that the server has not acknowledged yet.
//!
//! When they are too many the writer waits, and with it the build's output: nothing is dropped.

use slipway_protocol::{Record, RecordBatch};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// So many records, or bytes, are sent without waiting for more.
const ENOUGH_RECORDS: usize = 200;
const ENOUGH_BYTES: usize = 64 << 10;
/// No batch is larger, but for one record that is. As JSON it stays under 2 MiB, whatever the text.
const MOST_RECORDS: usize = 1000;
const MOST_BYTES: usize = 256 << 10;

pub(crate) struct Outbox {
    state: Mutex<State>,
    limit: usize,
    added: Notify,
    taken: Notify,
}

#[derive(Default)]
struct State {
    /// With the size of each.
    records: VecDeque<(Record, usize)>,
    bytes: usize,
    /// The number of the last record that the server has.
    acknowledged: u64,
    closed: bool,
    /// The server takes no more: what comes is dropped.
    closed_there: bool,
    /// It refused what came, and the log lacks it.
    refused: bool,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), limit, added: Notify::new(), taken: Notify::new() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records at once, beyond the limit too.
    pub(crate) fn add(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let mut state = self.state();
        if state.closed_there {
            return;
        }
        for record in records {
            let size = size(&record);
            state.bytes += size;
            state.records.push_back((record, size));
        }
        drop(state);
        self.added.notify_one();
    }

    /// Waits while too much is unacknowledged.
    pub(crate) async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            if self.state().bytes <= self.limit {
                return;
            }
            taken.await;
        }
    }

    /// The server refused them: forgets those that are left.
    pub(crate) fn refuse(&self) {
        self.state().refused = true;
        self.end();
    }

    /// The log has come to its end at the server: forgets what is left and what comes.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.closed_there = true;
        state.records.clear();
        state.bytes = 0;
        drop(state);
        self.taken.notify_waiters();
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.state().refused
    }

    /// No more records will come.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.added.notify_one();
    }

    /// Waits for records; `None` when all were acknowledged and no more will come.
    pub(crate) async fn wait(&self) -> Option<()> {
        loop {
            {
                let state = self.state();
                if !state.records.is_empty() {
                    return Some(());
                }
                if state.closed {
                    return None;
                }
            }
            self.added.notified().await;
        }
    }

    /// Waits until a batch is worth sending without waiting for more.
    pub(crate) async fn until_urgent(&self) {
        while !self.urgent() {
            self.added.notified().await;
        }
    }

    /// Waits until no more records will come and the server has them all.
    pub(crate) async fn delivered(&self) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            {
                let state = self.state();
                if state.closed && state.records.is_empty() {
                    return;
                }
            }
            taken.await;
        }
    }

    /// Whether a batch is worth sending without waiting for more.
    pub(crate) fn urgent(&self) -> bool {
        let state = self.state();
        state.closed || state.records.len() >= ENOUGH_RECORDS || state.bytes >= ENOUGH_BYTES
    }

    /// The oldest records, which stay here until they are acknowledged.
    pub(crate) fn batch(&self) -> RecordBatch {
        let state = self.state();
        let mut bytes = 0;
        let records = state
            .records
            .iter()
            .take(MOST_RECORDS)
            .take_while(|(_, size)| {
                let first = bytes == 0;
                bytes += size;
                first || bytes <= MOST_BYTES
            })
            .map(|(record, _)| record.clone())
            .collect();
        RecordBatch { first: state.acknowledged + 1, records }
    }

    /// The server has all up to `number`.
    pub(crate) fn acknowledge(&self, number: u64) {
        let mut state = self.state();
        while state.acknowledged < number {
            let Some((_, size)) = state.records.pop_front() else {
                break;
            };
            state.bytes -= size;
            state.acknowledged += 1;
        }
        drop(state);
        self.taken.notify_waiters();
    }

    /// The number of the last record that the server has.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.state().acknowledged
    }
}

fn size(record: &Record) -> usize {
    let text = match record {
        Record::Line(line) => line.text.len(),
        Record::Notice { text, .. } => text.len(),
        Record::StepStarted(step) => step.name.len() + step.vertex.len(),
        Record::StepDone(step) => step.error.as_ref().map_or(0, String::len),
        Record::Progress { id, .. } => id.len(),
    };
    text + 96
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn notice(size: usize) -> Record {
        Record::Notice { at: 0, text: "x".repeat(size) }
    }

    #[tokio::test]
    async fn a_batch_is_repeated_until_it_is_acknowledged() {
        let outbox = Outbox::new(1 << 20);
        outbox.add(vec![notice(1); 1250]);
        assert_eq!(outbox.batch().records.len(), MOST_RECORDS);
        assert_eq!(outbox.batch().first, 1);
        outbox.acknowledge(1000);
        let batch = outbox.batch();
        assert_eq!((batch.first, batch.records.len()), (1001, 250));
        outbox.acknowledge(150);
        assert_eq!(outbox.acknowledged(), 1000, "an old answer changes nothing");
        outbox.acknowledge(1250);
        outbox.close();
        assert_eq!(outbox.wait().await, None);
    }

    #[tokio::test]
    async fn the_writer_waits_when_too_much_is_unacknowledged() {
        let outbox = Outbox::new(1000);
        outbox.add(vec![notice(700), notice(700)]);
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, outbox.room()).await.is_err());
        outbox.acknowledge(1);
        assert!(tokio::time::timeout(short, outbox.room()).await.is_ok());
    }

    #[tokio::test]
    async fn what_comes_after_the_end_of_the_log_is_dropped() {
        let outbox = Outbox::new(1000);
        outbox.add(vec![notice(700), notice(700)]);
        outbox.acknowledge(1);
        outbox.end();
        outbox.add(vec![notice(700), notice(700)]);
        outbox.room().await;
        outbox.close();
        outbox.delivered().await;
        assert_eq!((outbox.acknowledged(), outbox.is_refused()), (1, false));
        outbox.refuse();
        assert!(outbox.is_refused());
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_but_never_empty() {
        let outbox = Outbox::new(1 << 30);
        outbox.add(vec![notice(300 << 10), notice(150 << 10), notice(100 << 10)]);
        assert_eq!(outbox.batch().records.len(), 1);
        outbox.acknowledge(1);
        assert_eq!(outbox.batch().records.len(), 2);
    }
}
