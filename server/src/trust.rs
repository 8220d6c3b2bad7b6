//! Signatures: made for every build before a tag names it, and verified before a page says so.

mod keys;
mod signature;
mod signing;
#[cfg(test)]
mod tests;
mod verify;

pub use keys::{ensure_key, opens, public_key};
pub use signature::{Signed, Stored, sign, store};
pub use verify::{Verdict, VerdictState, verify};
