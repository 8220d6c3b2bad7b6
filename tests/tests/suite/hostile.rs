//! Bad input, each with a test: what others send, and what fails around us, harms nobody and is told clearly.

#[path = "hostile/admission.rs"]
mod admission;
#[path = "hostile/browser.rs"]
pub(crate) mod browser;
#[path = "hostile/forge.rs"]
mod forge;
#[path = "hostile/hook.rs"]
pub(crate) mod hook;
#[path = "hostile/hooks.rs"]
mod hooks;
#[path = "hostile/oauth.rs"]
mod oauth;
#[path = "hostile/pages.rs"]
mod pages;
#[path = "hostile/routes.rs"]
pub(crate) mod routes;
#[path = "hostile/settings.rs"]
mod settings;
#[path = "hostile/site.rs"]
pub(crate) mod site;
#[path = "hostile/text.rs"]
mod text;
