//! What happens in a build, as it happens.

use bytes::Bytes;

/// One thing that happened. Times (`at`) are UTC milliseconds since 1970, by the daemon's clock.
///
/// `index` numbers the steps by their first appearance, from 1 and without a gap. Every step is started before
/// anything else is said of it; a step may start again after it was done (exporting, then pushing).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    StepStarted {
        index: u32,
        /// BuildKit's digest of the step; a [`BuildError`](crate::BuildError) names the failed one by it.
        vertex: String,
        /// `[build 2/4] RUN cargo build`.
        name: String,
        /// The steps this one builds on, as far as they have appeared.
        inputs: Vec<u32>,
        at: i64,
    },
    /// Bytes as the process wrote them: not lines, and not always UTF-8.
    StepLog {
        index: u32,
        stream: LogStream,
        at: i64,
        bytes: Bytes,
    },
    /// Bytes or layers of a pull, push or transfer. `id` names the thing within the step.
    Progress {
        index: u32,
        id: String,
        current: i64,
        /// 0 when it is not known.
        total: i64,
        done: bool,
        at: i64,
    },
    StepDone {
        index: u32,
        cached: bool,
        error: Option<String>,
        at: i64,
    },
    /// A remark of the Dockerfile linter.
    Warning {
        index: u32,
        level: i64,
        short: String,
        detail: Vec<String>,
        url: String,
        file: String,
        /// First and last line, from 1.
        lines: Vec<(u32, u32)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    Stdout,
    Stderr,
}
