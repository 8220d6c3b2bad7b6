//! `slipway`: sign in, connect a code repository, and every push becomes a signed image.

mod accounts;
mod app;
mod auth;
mod cli;
mod clock;
mod config;
mod db;
mod error;
mod http;
mod jobs;
mod names;
mod namespaces;
mod oci;
mod policy;
mod registry;
mod secrets;
mod storage;
#[cfg(test)]
mod testing;
mod wake;
mod web;

fn main() -> std::process::ExitCode {
    cli::main()
}
