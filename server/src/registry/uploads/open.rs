//! What this process knows of uploads: who writes to one now, and hashes between two requests.

use sha2::Sha256;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};
use uuid::Uuid;

// About 200 bytes each.
const MOST_HASHES: usize = 20_000;

/// Hashes of uploads between two requests, so that bytes are hashed once; after a restart they are hashed again from
/// storage. And the uploads that a request has in hand: here a lease cannot run out, however long the database is away.
#[derive(Default)]
pub struct OpenUploads(Mutex<Open>);

#[derive(Default)]
struct Open {
    hashes: HashMap<Uuid, Known>,
    kept: u64,
    /// With the bytes that a request brought and that are not committed yet.
    held: HashMap<Uuid, u64>,
}

struct Known {
    /// Larger than that of all hashes that were kept before.
    number: u64,
    offset: i64,
    hash: Sha256,
}

impl OpenUploads {
    pub(super) fn keep(&self, id: Uuid, offset: i64, hash: Sha256) {
        // The hash of nothing is had without keeping it: an upload that got no byte takes no room here.
        if offset == 0 {
            return;
        }
        let mut open = self.open();
        open.kept += 1;
        let number = open.kept;
        open.hashes.insert(id, Known { number, offset, hash });
        if open.hashes.len() > MOST_HASHES {
            // All are looked at, which takes less than hashing a mebibyte does.
            let oldest = open.hashes.iter().min_by_key(|(_, known)| known.number).map(|(id, _)| *id);
            oldest.map(|id| open.hashes.remove(&id));
        }
    }

    pub(super) fn take(&self, id: Uuid, offset: i64) -> Option<Sha256> {
        let known = self.open().hashes.remove(&id)?;
        (known.offset == offset).then_some(known.hash)
    }

    pub(super) fn forget(&self, id: Uuid) {
        self.open().hashes.remove(&id);
    }

    /// Takes the upload in hand; `None` when another request has it.
    pub(super) fn hold(&self, id: Uuid) -> Option<Place<'_>> {
        match self.open().held.entry(id) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(0);
                Some(Place { of: self, id })
            }
        }
    }

    /// Bytes that requests in hand brought to these uploads, as far as they told.
    pub(super) fn coming(&self, ids: impl Iterator<Item = Uuid>) -> u64 {
        let open = self.open();
        ids.filter_map(|id| open.held.get(&id)).sum()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().expect("no holder panics")
    }
}

/// An upload in hand, until it is dropped.
pub(super) struct Place<'a> {
    of: &'a OpenUploads,
    id: Uuid,
}

impl Place<'_> {
    /// So many bytes came since the last commit.
    pub(super) fn note(&self, bytes: u64) {
        self.of.open().held.insert(self.id, bytes);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.of.open().held.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest as _;

    #[test]
    fn the_oldest_hash_makes_room() {
        let open = OpenUploads::default();
        let ids: Vec<Uuid> = (0..=MOST_HASHES).map(|_| Uuid::new_v4()).collect();
        for id in &ids {
            open.keep(*id, 1, Sha256::new());
        }
        assert!(open.take(ids[0], 1).is_none());
        assert!(ids[1..].iter().all(|id| open.take(*id, 1).is_some()));
    }

    #[test]
    fn uploads_without_bytes_take_no_room() {
        let open = OpenUploads::default();
        open.keep(Uuid::new_v4(), 0, Sha256::new());
        assert!(open.open().hashes.is_empty());
    }

    #[test]
    fn one_request_has_an_upload_in_hand() {
        let open = OpenUploads::default();
        let id = Uuid::new_v4();
        let place = open.hold(id).unwrap();
        assert!(open.hold(id).is_none() && open.hold(Uuid::new_v4()).is_some());
        drop(place);
        assert!(open.hold(id).is_some());
    }
}
