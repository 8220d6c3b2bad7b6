//! Signatures: made for every build before a tag names it, and verified before a page says so.

mod checks;
mod keys;
mod signature;
mod signing;
#[cfg(test)]
mod tests;
mod verdicts;
mod verify;

pub use keys::{ensure_key, opens, public_key};
pub use signature::{Signed, Stored, sign, store};
pub use verdicts::Verdicts;
pub use verify::{Verdict, VerdictState, verify, verify_all};
