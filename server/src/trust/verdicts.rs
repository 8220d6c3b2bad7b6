//! Verifications that were run, kept in memory with the time they ran.
//!
//! Whatever a verification reads is named by a hash or never changes: the digest that is signed, the manifest with the
//! signatures (it names its blobs by digest), the repository's name, and the keys. So what came out once is so for ever,
//! as long as the same keys are asked and no key is revoked. What was absent is not kept: it may be there the next time.

use super::Place;
use super::checks::{Finding, Key};
use crate::clock::Millis;
use crate::names::Digest;
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// About 150 bytes each, so 3 MB at most; those that were not asked for longest go first.
const MOST: u64 = 20_000;

/// What the signatures in one manifest come to.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) finding: Finding,
    pub(super) at: Millis,
}

/// The keys that signatures of a repository are held against.
pub(super) struct Keys {
    /// Of its namespace, and of the instance.
    pub(super) own: Arc<[Key]>,
    /// How many were revoked, of any namespace: another namespace's key tells what was signed elsewhere.
    pub(super) revoked: u64,
}

/// Whether one of these keys signed `subject` in `manifest`, for this place.
pub(super) struct Question<'a> {
    pub(super) place: &'a Place,
    pub(super) subject: &'a Digest,
    pub(super) manifest: &'a str,
    pub(super) keys: &'a Keys,
}

impl Question<'_> {
    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // Neither digests nor names hold a line break, and ids have one length.
        for text in [self.subject.as_str(), self.manifest, &self.place.name] {
            hash.update(text);
            hash.update("\n");
        }
        hash.update(self.place.namespace_id.as_bytes());
        hash.update(self.keys.revoked.to_be_bytes());
        for key in self.keys.own.iter() {
            hash.update(key.row.id.as_bytes());
        }
        hash.finalize().into()
    }
}

/// The verifications of this process.
pub struct Verdicts {
    known: Cache<[u8; 32], Known>,
    #[cfg(test)]
    pub(super) run: std::sync::atomic::AtomicU64,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            known: Cache::new(MOST),
            #[cfg(test)]
            run: 0.into(),
        }
    }
}

impl Verdicts {
    pub(super) fn find(&self, question: &Question) -> Option<Known> {
        self.known.get(&question.hash())
    }

    pub(super) fn remember(&self, question: &Question, known: &Known) {
        #[cfg(test)]
        self.run.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.known.insert(question.hash(), known.clone());
    }
}
