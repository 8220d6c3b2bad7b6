//! What repositories hold: blobs, manifests, tags and referrers.
//!
//! Bytes before rows: a crash in between leaves an object that nobody names, while the other order would
//! leave a tag that cannot be pulled.

pub mod blobs;
pub mod document;
pub mod images;
pub mod manifests;
pub mod media_type;
pub mod objects;
pub mod removal;
pub mod repositories;
pub mod tags;
#[cfg(test)]
mod tests;
pub mod uploads;
mod version_order;
