//! Work in parts that do not depend on each other.

use super::{Error, Result};

/// What fails is told at once, the other parts are done all the same, and the whole ends with the first error: one row
/// that cannot be worked off holds up no other.
#[derive(Default)]
pub struct Parts {
    first: Option<Error>,
}

impl Parts {
    /// Notes how a part ended; `what` stands in the log.
    pub fn note(&mut self, what: &str, done: Result<()>) {
        if let Err(error) = done {
            tracing::warn!("{what} failed, and the rest goes on: {}", error.for_log());
            self.first.get_or_insert(error);
        }
    }

    pub fn end(self) -> Result<()> {
        self.first.map_or(Ok(()), Err)
    }
}
