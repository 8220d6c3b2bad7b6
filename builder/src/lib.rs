//! Claims builds from a Slipway server, runs them on BuildKit and reports what happens.
//!
//! ```text
//! claim ─► attempt ─► checkout ─┐
//!             │       daemon ───┴─► build ─► digest
//!             └─ journal ─► log (mask, split, number) ─► outbox ─► server
//! ```
//! The builder is outside the trust boundary: what it holds came with the assignment and ends with the attempt.

mod claim;

mod attempt;
mod build;

mod checkout;
mod daemon;
mod log;

mod api;
mod config;
mod failure;
mod lock;
mod readiness;
mod trust;

pub use claim::run;
pub use config::{Config, GcSizes, LogLimits};

/// Why builds cannot run on this machine now, with a remedy; `None` when they can.
pub fn unable(config: &Config) -> Option<String> {
    readiness::unable(config)
}

/// Why RUN steps on this machine have no bound of memory and processes; `None` when they have.
pub fn missing_bounds() -> Option<String> {
    daemon::missing_bounds()
}
