//! Pages.

pub mod ansi;
pub mod assets;
pub mod errors;
pub mod guard;
pub mod health;
pub mod views;
