//! Pages.

pub mod cosign_key;
pub mod errors;
pub mod guard;
pub mod health;
