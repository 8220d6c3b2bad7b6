//! Where each step begins and ends in the text of a log.
//!
//! BuildKit comes back to steps: it exports, then pushes. In the text a step has one head and one end all the same, with the
//! time from its first start, as on its page.

use crate::clock::Millis;
use serde::{Deserialize, Serialize};
use slipway_protocol::Record;
use std::collections::BTreeMap;

/// Of each step the records of its first start and of its last end. A log has a bounded number of steps (`limits`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spans(BTreeMap<u32, Span>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    /// Number of the record; 0 when there is none.
    head: u64,
    started_at: Millis,
    end: u64,
}

impl Spans {
    /// Takes in the next record of a log.
    pub(super) fn note(&mut self, number: u64, record: &Record) {
        match record {
            // A step that prints before it begins comes without a name at first.
            Record::StepStarted(started) if !started.name.is_empty() => {
                let span = self.0.entry(started.step).or_default();
                if span.head == 0 {
                    (span.head, span.started_at) = (number, started.at);
                }
            }
            Record::StepDone(done) => self.0.entry(done.step).or_default().end = number,
            _ => {}
        }
    }

    pub(super) fn is_head(&self, number: u64, step: u32) -> bool {
        self.0.get(&step).is_some_and(|span| span.head == number)
    }

    pub(super) fn is_end(&self, number: u64, step: u32) -> bool {
        self.0.get(&step).is_some_and(|span| span.end == number)
    }

    /// How long a step took that ends at `at`, in milliseconds; `None` where that is not known.
    pub(super) fn took(&self, step: u32, at: Millis) -> Option<Millis> {
        let span = self.0.get(&step).filter(|span| span.head > 0)?;
        at.checked_sub(span.started_at).filter(|took| *took >= 0)
    }
}
