//! What this process knows of uploads: who writes to one now, and hashes between two requests.

use crate::names::{Algorithm, Hasher};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use uuid::Uuid;

// Below 500 bytes each.
const MOST_HASHES: usize = 20_000;

/// Hashes of uploads between two requests, so that bytes are hashed once; after a restart, and by an algorithm that a
/// client names at the end only, they are hashed again from storage. And the uploads that a request has in hand: here a lease cannot run out, however long the database is away.
#[derive(Default)]
pub struct OpenUploads(Mutex<Open>);

#[derive(Default)]
struct Open {
    hashes: HashMap<Uuid, Known>,
    /// Uploads that were begun with `digest-algorithm=sha512`: a hint, for the end of each names its algorithm.
    by_sha512: HashSet<Uuid>,
    kept: u64,
    /// With the bytes that a request brought and that are not committed yet.
    held: HashMap<Uuid, u64>,
}

struct Known {
    /// Larger than that of all hashes that were kept before.
    number: u64,
    offset: i64,
    hash: Hasher,
}

impl OpenUploads {
    /// Notes by which algorithm an upload will be named.
    pub(super) fn expect(&self, id: Uuid, algorithm: Algorithm) {
        let mut open = self.open();
        if algorithm == Algorithm::Sha512 {
            if open.by_sha512.len() >= MOST_HASHES {
                open.by_sha512.clear();
            }
            open.by_sha512.insert(id);
        }
    }

    pub(super) fn expected(&self, id: Uuid) -> Algorithm {
        if self.open().by_sha512.contains(&id) { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }

    pub(super) fn keep(&self, id: Uuid, offset: i64, hash: Hasher) {
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

    pub(super) fn take(&self, id: Uuid, offset: i64) -> Option<Hasher> {
        let known = self.open().hashes.remove(&id)?;
        (known.offset == offset).then_some(known.hash)
    }

    pub(super) fn forget(&self, id: Uuid) {
        let mut open = self.open();
        open.hashes.remove(&id);
        open.by_sha512.remove(&id);
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

    #[test]
    fn the_oldest_hash_makes_room() {
        let open = OpenUploads::default();
        let ids: Vec<Uuid> = (0..=MOST_HASHES).map(|_| Uuid::new_v4()).collect();
        for id in &ids {
            open.keep(*id, 1, Hasher::default());
        }
        assert!(open.take(ids[0], 1).is_none());
        assert!(ids[1..].iter().all(|id| open.take(*id, 1).is_some()));
    }

    #[test]
    fn uploads_without_bytes_take_no_room() {
        let open = OpenUploads::default();
        open.keep(Uuid::new_v4(), 0, Hasher::default());
        assert!(open.open().hashes.is_empty());
    }

    #[test]
    fn what_uploads_are_named_by_takes_bounded_room() {
        let open = OpenUploads::default();
        let ids: Vec<Uuid> = (0..=MOST_HASHES).map(|_| Uuid::new_v4()).collect();
        for id in &ids {
            open.expect(*id, Algorithm::Sha512);
        }
        assert!(open.open().by_sha512.len() <= MOST_HASHES);
        assert_eq!(open.expected(ids[MOST_HASHES]), Algorithm::Sha512);
        open.forget(ids[MOST_HASHES]);
        assert_eq!(open.expected(ids[MOST_HASHES]), Algorithm::Sha256);
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
