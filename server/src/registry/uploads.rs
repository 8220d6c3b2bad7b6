//! Chunked blob uploads.

use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Mutex;
use uuid::Uuid;

/// Hashes of uploads in progress, by upload and offset, so that bytes are hashed once.
#[derive(Default)]
pub struct OpenUploads(
    #[expect(dead_code, reason = "uploads come with the registry")] Mutex<HashMap<Uuid, (u64, Sha256)>>,
);
