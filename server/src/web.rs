//! Pages.

pub mod errors;
pub mod guard;
pub mod health;
pub mod next;
pub mod sign_in;
