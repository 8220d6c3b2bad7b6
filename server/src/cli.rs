//! The command line.

pub mod admin;
mod backup;
mod doctor;
mod embedded;
mod lock;
mod migrate;
mod serve;
mod socket;

use crate::config::Config;
use clap::{Parser, Subcommand};
use std::io::Write as _;
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
    #[command(after_help = "Example:\n  slipway serve --config /etc/slipway.toml")]
    Serve,
    /// Bring the database to this version's schema; `serve` does it too.
    ///
    /// A copy of an SQLite database is kept in `before-migration` in the data folder.
    #[command(after_help = "Example:\n  slipway migrate --check")]
    Migrate {
        /// Only tell what would be done; a server may be running.
        #[arg(long)]
        check: bool,
    },
    /// People, namespaces, repositories, keys and tokens, without a browser.
    #[command(subcommand, after_help = "Example:\n  slipway admin invite --site-admin")]
    Admin(admin::Admin),
    /// Check everything that a server needs, with a remedy for what is missing.
    #[command(after_help = "Example:\n  slipway doctor --json | jq '.[] | select(.level == \"fail\")'")]
    Doctor {
        /// One JSON array in place of lines.
        #[arg(long)]
        json: bool,
    },
    /// Write database, keys and stored objects into one new file, while the server runs.
    ///
    /// The file holds the master key: whoever reads it can read every secret.
    #[command(after_help = "Example:\n  slipway backup /backup/slipway-2026-11-21.tar")]
    Backup {
        /// It must not exist yet.
        file: PathBuf,
    },
    /// Fill an empty data folder from a backup.
    #[command(
        after_help = "Example:\n  SLIPWAY_DATA_DIR=/var/lib/slipway slipway restore /backup/slipway-2026-11-21.tar"
    )]
    Restore {
        /// Made by `slipway backup`.
        file: PathBuf,
    },
    /// List every setting with its variable, default and meaning.
    #[command(after_help = "Example:\n  slipway settings | grep builds")]
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
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    let result = runtime.block_on(async move {
        match arguments.command {
            Command::Serve => serve::run(config).await.map(|()| None),
            Command::Migrate { check: true } => migrate::check(config).await.map(Some),
            Command::Migrate { check: false } => migrate::run(config).await.map(Some),
            Command::Admin(command) => admin::run(config, command).await.map(Some),
            Command::Doctor { json } => return doctor::run(&config, json).await,
            Command::Backup { file } => backup::backup(config, &file).await.map(Some),
            Command::Restore { file } => backup::restore(config, &file).await.map(Some),
            Command::Settings => Ok(None),
        }
        .map_or_else(|error| fail(&error.for_log()), |text| say(text.as_deref()))
    });
    // Whatever a stopped server still does in the background is not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    result
}

#[expect(clippy::print_stderr, reason = "this is where the command line speaks")]
fn fail(text: &str) -> ExitCode {
    eprintln!("slipway: {text}");
    ExitCode::FAILURE
}

fn say(text: Option<&str>) -> ExitCode {
    if let Some(text) = text {
        out(&format!("{text}\n"));
    }
    ExitCode::SUCCESS
}

/// Writes what was asked for. Whoever closes the pipe early, as `head` does, has seen enough.
fn out(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).ok();
}

fn print_settings() -> ExitCode {
    for setting in crate::config::SETTINGS {
        let (key, variable) = (setting.key, setting.variable());
        out(&format!("{key:<26} {variable:<34} {:<24} {}\n", setting.default, setting.meaning));
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::admin::{Admin, Namespace, PublicOrPrivate, Repository, RoleOrNone, Token, User};
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Arguments::try_parse_from(line.split(' ')).map(|a| a.command)
    }

    #[test]
    fn the_commands_of_automation_are_understood() {
        Arguments::command().debug_assert();
        for (line, expected) in [
            ("slipway admin user add ci", Admin::User(User::Add { name: "ci".into() })),
            (
                "slipway admin namespace add acme --owner ci",
                Admin::Namespace(Namespace::Add { name: "acme".into(), owner: "ci".into() }),
            ),
            (
                "slipway admin repository visibility acme/web public",
                Admin::Repository(Repository::Visibility {
                    name: "acme/web".into(),
                    visibility: PublicOrPrivate::Public,
                }),
            ),
            (
                "slipway admin token add --user ci --scopes read --days 1",
                Admin::Token(Token::Add {
                    user: "ci".into(),
                    name: "command line".into(),
                    scopes: vec!["read".into()],
                    days: "1".into(),
                }),
            ),
            (
                "slipway admin grant acme --user mona --role manager",
                Admin::Grant { namespace: "acme".into(), user: "mona".into(), role: RoleOrNone::Manager },
            ),
            ("slipway admin invite --site-admin", Admin::Invite { site_admin: true }),
        ] {
            let Ok(Command::Admin(command)) = parse(line) else { panic!("{line}") };
            assert_eq!(command, expected, "{line}");
        }
        for bad in [
            "slipway admin namespace add acme",
            "slipway admin repository visibility acme/web open",
            "slipway admin grant acme --user mona --role owner",
            "slipway backup",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command, path: &str, found: &mut Vec<(String, bool)>) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            found.push((path.clone(), help.contains("Example")));
            command.get_subcommands().for_each(|inner| walk(inner, &path, found));
        }
        let mut found = Vec::new();
        walk(&Arguments::command(), "", &mut found);
        let without: Vec<_> = found.iter().filter(|(_, has)| !has).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn a_command_travels_unchanged() {
        let command = Admin::Invite { site_admin: false };
        let line = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Admin>(&line).unwrap(), command);
        assert!(serde_json::from_str::<Admin>(r#"{"invite":{"site_admin":true,"is_root":true}}"#).is_err());
    }
}
