//! A client of BuildKit's control API: connect to a daemon, send it a build, follow it, learn why it failed.
//!
//! The crate knows BuildKit and nothing of who calls it. [`connect`] gives a [`Client`]; [`solve`] starts a
//! [`BuildRequest`] and gives a [`Build`]: a bounded stream of [`Event`]s and the end as [`Outcome`] or [`BuildError`].
//! Dropping the [`Build`] cancels the build.

mod admin;
mod client;
mod error;
mod event;
mod filesync;
mod request;
mod session;
mod solve;
mod steps;
mod task;

pub use admin::{CacheRecord, Info, PruneOptions, Pruned, Worker};
pub use client::{Addr, Client, ClientError, Tls, connect};
pub use error::{BuildError, ErrorClass, ExcerptLine, Location};
pub use event::{Event, LogStream};
pub use filesync::{FileSync, IgnoreLine, Limits, LocalDir, Sent};
pub use request::{BuildRequest, CacheOption, Export, SourceRule};
pub use session::{Credential, Credentials, Secret, Secrets, Services, Session};
pub use solve::{Build, Events, Outcome, Solving, solve};

/// For names that must be unique at the daemon.
pub(crate) fn random_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
