//! From what BuildKit reports to the records that the server stores: masked, cut into lines, capped.

pub(crate) mod mask;
mod records;
mod split;

pub(crate) use mask::Secrets;
pub(crate) use records::{Hosts, Recorder};

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as records write it: UTC milliseconds.
pub(crate) fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the one clock of records")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
