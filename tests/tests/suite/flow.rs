//! The main job with everything real: sign in, import, push, build, sign, pull.

#[path = "flow/browser.rs"]
mod browser;
#[path = "flow/clients.rs"]
mod clients;
