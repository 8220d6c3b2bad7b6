//! Bad input, each with a test: what others send, and what fails around us, harms nobody and is told clearly.

mod admission;
pub(crate) mod browser;
mod forge;
pub(crate) mod hook;
mod hooks;
mod oauth;
mod pages;
pub(crate) mod routes;
mod settings;
pub(crate) mod site;
mod text;
