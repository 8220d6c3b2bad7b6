//! Builds, from a ref update to a signed image.
//!
//! ```text
//!           ┌──────────────────── lost, once ────────────────────┐
//!           ▼                                                    │
//! enqueue → queued ── claim ──► running ── finish ──► succeeded, partly failed, failed, cancelled, timed out
//!           └─► skipped, cancelled, failed
//! ```
//! A builder works under a lease; each try is an attempt, and only the present one may write.
//! An image is signed before any tag names it, and both happen in the transaction that ends the build.

mod assignment;
pub mod bases;
mod cancel;
mod ending;
mod enqueue;
mod finish;
pub mod fleet;
mod home;
pub mod lease;
pub mod log;
mod pages;
pub mod queue;
pub mod removal;
mod rerun;
mod snapshot;
pub mod source;
mod states;
#[cfg(test)]
mod tests;
pub mod view;

pub use crate::db::build_search::Told;
pub use crate::db::queue::LOOKED_AT;
pub use cancel::{cancel, cancel_deleted};
pub use enqueue::{NewBuild, enqueue, supersede};
pub use finish::finish;
pub use lease::at_start;
pub use pages::{
    Search, find, is_any_open, materials, newest, newest_of_ref, number_of, of_ref, page, present_attempt, search,
    tags_of, usual_secs, was_overtaken,
};
pub use rerun::{Rerun, build_now, rerun};
pub use states::is_over;
pub use view::{WaitsFor, attempts, failed_of_user, find_by_number, no_builder, open_in, running_of_user, why_waiting};
