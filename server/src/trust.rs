//! Signatures: made for every build before a tag names it, and verified before a page says so.

mod accessories;
mod again;
mod bundle;
mod checks;
mod decoy;
mod keys;
mod rotation;
mod signature;
mod signing;
#[cfg(test)]
mod tests;
mod verdicts;
mod verify;

pub use accessories::{Turns, put_manifest};
pub use again::{add_bundle, at_start, resume, sign_again};
#[cfg(test)]
pub(crate) use keys::{make_instance_key, make_key};
pub use keys::{opens, public_key, public_key_of};
pub use rotation::{KeyState, publish, revoke, revoke_instance_key, rotate, state_of};
pub use signature::{Signed, Stored, sign, store};
pub use verdicts::Verdicts;
pub use verify::{Verdict, VerdictState, verify, verify_all};

use crate::db::rows;
use crate::policy::RepositoryAccess;
use uuid::Uuid;

/// A repository, as signatures know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub repository_id: Uuid,
    pub namespace_id: Uuid,
    /// `acme/web`: what a payload names behind its host.
    pub name: String,
}

impl Place {
    /// `name` is `acme/web`.
    pub fn new(repository: &rows::Repository, name: impl Into<String>) -> Self {
        Self { repository_id: repository.id, namespace_id: repository.namespace_id, name: name.into() }
    }

    fn namespace(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

impl From<&RepositoryAccess> for Place {
    fn from(on: &RepositoryAccess) -> Self {
        Self { repository_id: on.id, namespace_id: on.namespace_id, name: on.name.to_string() }
    }
}
