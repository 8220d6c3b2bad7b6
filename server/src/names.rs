//! Names that came from outside, parsed once at the edge: a value's type is the proof that it is valid.

mod digest;
mod refs;
mod repository;

pub use digest::Digest;
pub use refs::{CommitHash, RefName};
pub use repository::{NamespaceName, Reference, RepositoryName, TagName, is_reserved};
