//! Bad input, each with a test: what others send, and what fails around us, harms nobody and is told clearly.

mod admission;
mod arguments;
pub(crate) mod browser;
mod builders;
mod daemons;
mod escapes;
mod failures;
mod fetches;
mod forge;
mod greed;
pub(crate) mod heads;
pub(crate) mod hook;
mod hook_floods;
mod hooks;
mod logs;
mod oauth;
mod pages;
mod passage;
mod prints;
mod refusals;
pub(crate) mod routes;
mod settings;
pub(crate) mod site;
mod sources;
mod stored;
mod text;
pub(crate) mod workshop;
