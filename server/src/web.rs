//! Pages.

pub mod ansi;
pub mod assets;
pub mod errors;
pub mod guard;
pub mod health;
pub mod next;
pub mod page;
pub mod sign_in;
pub mod tokens;
pub mod views;
