//! The command line.

mod serve;

use crate::config::Config;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Sign in, connect a code repository, and every push becomes a signed image.
#[derive(Parser)]
#[command(name = "slipway", version, after_help = "Example:\n  SLIPWAY_DATA_DIR=/var/lib/slipway slipway serve")]
struct Arguments {
    /// TOML file of settings; `SLIPWAY_*` variables win over it.
    #[arg(long, env = "SLIPWAY_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: pages, registry, jobs, and the embedded builder.
    Serve,
    /// List every setting with its variable, default and meaning.
    Settings,
}

pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Settings) {
        return print_settings();
    }
    let config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(text) => return fail(&format!("settings: {text}")),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    let result = runtime.block_on(async move {
        match arguments.command {
            Command::Serve => serve::run(config).await,
            Command::Settings => Ok(()),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.for_log()),
    }
}

#[expect(clippy::print_stderr, reason = "this is where the command line speaks")]
fn fail(text: &str) -> ExitCode {
    eprintln!("slipway: {text}");
    ExitCode::FAILURE
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn print_settings() -> ExitCode {
    for setting in crate::config::SETTINGS {
        println!("{:<26} {:<34} {:<24} {}", setting.key, setting.variable(), setting.default, setting.meaning);
    }
    ExitCode::SUCCESS
}
