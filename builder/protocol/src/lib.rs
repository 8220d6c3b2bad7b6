//! The messages between `slipway serve` and `slipway-builder`, as JSON over HTTP.
//!
//! ```text
//! POST /builder/v1/claim                         builder token   ClaimRequest → 200 Assignment | 204 nothing to do (long poll)
//! POST /builder/v1/attempts/{id}/heartbeat       attempt token   Heartbeat    → 200 HeartbeatReply (long poll)
//! POST /builder/v1/attempts/{id}/records         attempt token   RecordBatch  → 200 RecordsReply
//! POST /builder/v1/attempts/{id}/finish          attempt token   Finish       → 200 FinishReply
//! GET  /builder/v1/attempts/{id}/source.git/info/refs?service=git-upload-pack   attempt token   git's smart HTTP, read only
//! POST /builder/v1/attempts/{id}/source.git/git-upload-pack                     attempt token   the same
//! ```
//! Refusals of the source are plain text, which git prints; a status that came from the forge is passed on as it was.
//! Every call about an attempt is taken only while that attempt is the build's present one: otherwise 409, and the builder drops the work.
//! Sending the same batch or the same finish twice is as sending it once.

mod assignment;
mod dockerfile;
mod platform;
mod record;

pub use assignment::{Assignment, CacheRef, HeadersSecret, Mirror, PushTarget, RegistryLogin, SourceSpec, Target};
pub use dockerfile::{is_dockerfile, name_part};
pub use platform::foreign;
pub use record::{Line, Record, RecordBatch, RecordsReply, StepDone, StepStarted, Stream};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when a message changes its meaning; a server refuses builders of another version with a clear text.
///
/// 2: sources are fetched through the server, and no builder holds a credential of a forge.
pub const VERSION: u32 = 2;

/// "Give me work": what this builder is and can do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimRequest {
    pub version: u32,
    /// A name for logs and the build page, for example the host name.
    pub builder: String,
    /// `linux/amd64`, … that this builder can run.
    pub platforms: Vec<String>,
    /// Free places for builds.
    pub slots: u32,
    /// How long the server may wait for work before it answers 204, in seconds.
    pub wait_secs: u64,
    /// Why builds cannot run now (BuildKit absent, disk low): the server shows it beside waiting builds and hands out no work.
    pub unable: Option<String>,
}

/// Extends the lease. The answer comes when the build is to be cancelled, or after `wait_secs`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    #[serde(default)]
    pub wait_secs: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// A person pressed Cancel, or the build was overtaken: drop the solve, then finish with `Outcome::Cancelled`.
    pub cancel: bool,
    /// Seconds until the lease ends unless another heartbeat comes.
    pub lease_secs: u64,
}

/// The end of an attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finish {
    pub outcome: Outcome,
    /// The number of the last record sent; the server has all up to it, or answers 409 with what it lacks.
    pub last_record: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The image was pushed by digest.
    Succeeded {
        /// `sha256:…` of the index or manifest that `docker pull` will print.
        digest: String,
        /// Base images and sources that the provenance names.
        materials: Vec<Material>,
    },
    Failed(Failure),
    Cancelled,
    TimedOut,
    /// The builder was told to stop: the build is queued again, as when a lease ends.
    Interrupted,
}

/// A base image or source: `uri` as in the provenance, `digest` by algorithm.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Material {
    pub uri: String,
    pub digest: BTreeMap<String, String>,
}

/// Why an attempt failed, for the error box of the build page.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    /// One sentence for people, without secrets.
    pub message: String,
    /// Of the failed RUN.
    pub exit_code: Option<u64>,
    /// The step's vertex digest, to join with the log.
    pub vertex: Option<String>,
    /// The Dockerfile and the lines of the failing instruction.
    pub location: Option<Location>,
    /// The base image that was refused or not found, as the Dockerfile names it.
    #[serde(default)]
    pub image: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    /// First and last line, counted from 1.
    pub first_line: u32,
    pub last_line: u32,
    /// Lines around the instruction: number and text.
    pub excerpt: Vec<(u32, String)>,
}

/// Reason codes, stored with the build; each has its own sentence on the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A RUN ended with a code other than 0.
    ExitCode,
    OutOfMemory,
    /// The Dockerfile does not parse.
    Syntax,
    DockerfileMissing,
    /// COPY or ADD of something that is not in the context.
    FileMissing,
    BaseImageMissing,
    BaseImageDenied,
    /// The commit, the repository or the right to read it is gone at the forge.
    SourceUnavailable,
    /// Submodules, LFS pointers: the source needs something that is switched off.
    SourceUnsupported,
    /// The registry refused the push.
    PushRefused,
    /// BuildKit is absent, died, or answers no more.
    BuilderUnavailable,
    DiskFull,
    PlatformUnsupported,
    /// Something the user asked for is not allowed here (entitlement, frontend, build argument).
    NotAllowed,
    #[default]
    Other,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinishReply {
    /// The state the build has now, as the page shows it.
    pub state: String,
}
