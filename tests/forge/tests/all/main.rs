//! The forge as its users see it: over HTTP and with the real git.

#![expect(clippy::disallowed_methods, reason = "tests measure")]

mod api;
mod faults;
mod git;
mod hooks;
mod oauth;
mod support;
