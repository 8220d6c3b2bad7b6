//! Names that came from outside, parsed once at the edge: a value's type is the proof that it is valid.

mod digest;
mod refs;
mod repository;
mod tag;

pub use digest::{Algorithm, Digest, Hasher};
pub use refs::{CommitHash, RefName};
pub use repository::{NamespaceName, RepositoryName, is_reserved};
pub use tag::{Reference, TagName};

/// A name is read as text and written as it was read.
macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
use name_type;
