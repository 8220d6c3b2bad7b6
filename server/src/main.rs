//! `slipway`: sign in, connect a code repository, and every push becomes a signed image.

#![expect(unreachable_pub, reason = "a program has no outside: `pub` marks what a module offers to the others")]

mod accounts;
mod app;
mod auth;
mod builder_api;
mod builds;
mod cli;
mod clock;
mod config;
mod db;
mod error;
mod forge;
mod hooks;
mod http;
mod jobs;
mod names;
mod namespaces;
mod oci;
mod policy;
mod registry;
mod request_id;
mod secrets;
mod sources;
mod storage;
#[cfg(test)]
mod testing;
mod trust;
mod wake;
mod web;

fn main() -> std::process::ExitCode {
    cli::main()
}
