//! Page structs: one for each template, holding ready-to-print values and no logic of the product.
//!
//! A handler fills the struct and renders it; links and form targets follow from the names in it.
//! All text is escaped by askama; the only ready HTML is a log line's, made by `web::ansi`, and that of `filters::code`.

pub mod build;
pub mod builds;
pub mod cut;
pub mod errors;
pub mod facts;
pub mod filters;
pub mod home;
pub mod import;
pub mod layout;
pub mod live;
pub mod log;
pub mod login;
pub mod namespace;
pub mod people;
pub mod pull;
pub mod repository;
pub mod search;
pub mod settings;
pub mod signing_key;
pub mod tags;
pub mod tokens;

#[cfg(test)]
mod samples;
