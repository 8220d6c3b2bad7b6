//! Slipway.
#[expect(dead_code, reason = "the handlers that print these pages come with the next change")]
mod web;

fn main() -> std::process::ExitCode {
    cli::main()
}
