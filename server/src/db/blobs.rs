//! Questions about blobs.
