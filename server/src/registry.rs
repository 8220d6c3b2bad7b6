//! Blobs, manifests, tags and referrers.

pub mod blobs;
pub mod manifests;
pub mod tags;
pub mod uploads;
