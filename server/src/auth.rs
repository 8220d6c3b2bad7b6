//! From a request to its principal, and from there to a proof of permission.

pub mod address;
pub mod bearer;
pub mod extract;
pub mod limits;
pub mod places;
pub mod sessions;
pub mod tokens;
pub mod turns;
