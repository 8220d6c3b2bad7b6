//! `slipway`: sign in, connect a code repository, and every push becomes a signed image.

mod app;
mod auth;
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
mod oci;
mod policy;
mod registry;
mod secrets;
mod sources;
mod storage;
mod wake;
mod web;

fn main() -> std::process::ExitCode {
    cli::main()
}
