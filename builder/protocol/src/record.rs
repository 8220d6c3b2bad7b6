//! The typed records of a build's log, numbered without a gap by the attempt, from 1.

use serde::{Deserialize, Serialize};

/// Records `first`, `first + 1`, … of one attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordBatch {
    pub first: u64,
    pub records: Vec<Record>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordsReply {
    /// The server has every record up to this one; the builder may forget them.
    pub acknowledged: u64,
    /// As in the heartbeat.
    pub cancel: bool,
    /// The log has reached a limit of the server, which says what it is: all later records are dropped, and the build
    /// goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// One thing that happened. Times are UTC milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Record {
    /// A step began, or began again (exporting, then pushing).
    StepStarted(StepStarted),
    Line(Line),
    /// Bytes or layers of a pull or push; only the newest one of each (step, id) counts.
    Progress {
        step: u32,
        id: String,
        current: i64,
        total: i64,
    },
    StepDone(StepDone),
    /// Something Slipway says: a cap was reached, a retry, a warning of BuildKit.
    Notice {
        at: i64,
        text: String,
    },
}

/// `step` is the order of first appearance in the build, from 1: stable, so links into a log stay right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStarted {
    pub step: u32,
    /// BuildKit's vertex digest.
    pub vertex: String,
    /// `[build 2/4] RUN cargo build`.
    pub name: String,
    pub at: i64,
}

/// One line of output, without its line end; at most 64 KiB, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub step: u32,
    /// Number inside the step, from 1.
    pub line: u32,
    pub stream: Stream,
    pub at: i64,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Out,
    Err,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDone {
    pub step: u32,
    pub at: i64,
    pub cached: bool,
    /// `None` when it went well.
    pub error: Option<String>,
}
