//! The pages.

pub mod ansi;
pub mod assets;
pub mod views;
