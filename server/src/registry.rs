//! Blobs, manifests, tags and referrers.

pub mod uploads;
