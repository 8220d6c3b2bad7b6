//! Pages.

pub mod ansi;
pub mod assets;
pub mod build;
pub mod cosign_key;
pub mod errors;
mod explain;
pub mod guard;
pub mod health;
pub mod home;
pub mod import;
mod materials;
pub mod namespace;
mod next;
mod offer;
mod origin;
mod page;
mod paging;
pub mod people;
mod present;
pub mod repository;
pub mod settings;
pub mod sign_in;
pub mod signing_key;
mod standing;
pub mod tags;
pub mod tokens;
mod views;
