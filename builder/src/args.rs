//! The command line of `slipway-builder`; every flag has a variable.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use slipway_builder::{Config, GcSizes};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

const EXAMPLE: &str = "\
Example:
  SLIPWAY_BUILDER_TOKEN=… slipway-builder --server https://registry.example.com --work-dir /var/lib/slipway-builder

The token is any secret of at least 32 characters that the server has in `builder.tokens`; `openssl rand -hex 32` makes
one. It runs as root and needs buildkitd, runc, git, iptables and the network plugins.";

/// Takes builds from a Slipway server and runs them on BuildKit.
#[derive(Parser)]
#[command(name = "slipway-builder", version, after_help = EXAMPLE)]
pub(crate) struct Args {
    /// URL of the server.
    #[arg(long, env = "SLIPWAY_BUILDER_SERVER", value_name = "URL")]
    server: Url,
    /// The builder's token; better given by variable or file, for arguments can be seen by others.
    #[arg(long, env = "SLIPWAY_BUILDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with the token.
    #[arg(long, env = "SLIPWAY_BUILDER_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Checkouts, mirrors and the state of BuildKit.
    #[arg(long, env = "SLIPWAY_BUILDER_WORK_DIR", value_name = "DIR", default_value = "/var/lib/slipway-builder")]
    work_dir: PathBuf,
    /// Where buildkitd and runc are; what is not there is looked for in PATH.
    #[arg(long, env = "SLIPWAY_BUILDER_BIN_DIR", value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// Where the network plugins are.
    #[arg(long, env = "SLIPWAY_BUILDER_CNI_DIR", value_name = "DIR", default_value = "/usr/lib/cni")]
    cni_dir: PathBuf,
    /// A name for logs and build pages; the host's by default.
    #[arg(long, env = "SLIPWAY_BUILDER_NAME")]
    name: Option<String>,
    /// Builds at once.
    #[arg(long, env = "SLIPWAY_BUILDER_SLOTS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    slots: u32,
    /// A /16 for the networks of RUN steps.
    #[arg(long, env = "SLIPWAY_BUILDER_NETWORK", default_value = "10.180.0.0")]
    network: Ipv4Addr,
    /// Memory of all RUN steps together; 0: three quarters of the machine's.
    #[arg(long, env = "SLIPWAY_BUILDER_MEMORY_BYTES", default_value_t = 0)]
    memory_bytes: u64,
    /// Processes and threads in the RUN steps of one daemon.
    #[arg(long, env = "SLIPWAY_BUILDER_PROCESSES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    processes: u32,
    /// A BuildKit daemon without work for so many seconds is stopped.
    #[arg(long, env = "SLIPWAY_BUILDER_IDLE_SECS", default_value_t = 600)]
    idle_secs: u64,
    /// What each daemon may keep at most, in GiB.
    #[arg(long, env = "SLIPWAY_BUILDER_CACHE_GIB", default_value_t = 20)]
    cache_gib: u64,
    /// Free space below which no build is taken, in GiB.
    #[arg(long, env = "SLIPWAY_BUILDER_MIN_FREE_GIB", default_value_t = 3)]
    min_free_gib: u64,
    /// Certificate authorities beside the system's, PEM; may be given several times.
    #[arg(long = "ca-file", env = "SLIPWAY_BUILDER_CA_FILES", value_name = "FILE", value_delimiter = ',')]
    ca_files: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn config(self) -> Result<Config> {
        ensure!(
            matches!(self.server.scheme(), "http" | "https"),
            "SLIPWAY_BUILDER_SERVER is `{}`: it must begin with http:// or https://",
            self.server
        );
        let [_, _, c, d] = self.network.octets();
        ensure!(c == 0 && d == 0, "SLIPWAY_BUILDER_NETWORK is {}: it must end with .0.0", self.network);
        let token = match (self.token, self.token_file) {
            (Some(token), _) => token,
            (None, Some(file)) => std::fs::read_to_string(&file)
                .with_context(|| format!("SLIPWAY_BUILDER_TOKEN_FILE {}", file.display()))?
                .trim()
                .to_owned(),
            (None, None) => String::new(),
        };
        ensure!(!token.is_empty(), "set SLIPWAY_BUILDER_TOKEN or SLIPWAY_BUILDER_TOKEN_FILE");
        let defaults = Config::new(self.server, token, self.work_dir);
        let max_used = self.cache_gib << 30;
        Ok(Config {
            bin_dir: self.bin_dir,
            cni_dir: self.cni_dir,
            name: self.name.unwrap_or_else(|| defaults.name.clone()),
            slots: self.slots,
            network: self.network,
            idle_timeout: Duration::from_secs(self.idle_secs),
            gc: GcSizes { reserved: max_used / 10, max_used, ..defaults.gc },
            memory_bytes: self.memory_bytes,
            processes: self.processes,
            min_free_bytes: self.min_free_gib << 30,
            ca_files: self.ca_files,
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATIONS.md");
    const BEGIN: &str = "<!-- builder: begin -->\n";
    const END: &str = "<!-- builder: end -->";

    /// Each variable with its flag; the log's filter is a variable only.
    fn table() -> String {
        let code = |text: String| if text.is_empty() { text } else { format!("`{text}`") };
        let command = Args::command();
        let rows = command.get_arguments().filter_map(|arg| {
            let (variable, flag) = (arg.get_env()?.to_string_lossy(), arg.get_long()?);
            let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
            let meaning = arg.get_help()?.to_string();
            Some(format!("| `{variable}` | `--{flag}` | {} | {meaning} |\n", code(defaults.join(","))))
        });
        let head = "| variable | flag | default | meaning |\n|---|---|---|---|\n".to_owned();
        let log = "| `SLIPWAY_BUILDER_LOG` |  | `info` | What is logged: a level, or a filter such as `slipway_builder=debug,info` |\n";
        std::iter::once(head).chain(rows).chain([log.to_owned()]).collect()
    }

    /// `UPDATE_DOCS=1 cargo test -p slipway-builder documented` writes the table anew.
    #[test]
    fn every_variable_is_documented_as_it_is() {
        let document = std::fs::read_to_string(DOCUMENT).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the table has its marks");
        let (written, after) = rest.split_once(END).expect("the table has its marks");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(DOCUMENT, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        } else {
            assert_eq!(written, table(), "run: UPDATE_DOCS=1 cargo test -p slipway-builder documented");
        }
    }

    #[test]
    fn the_help_names_the_setting_that_holds_the_token() {
        let help = Args::command().render_long_help().to_string();
        assert!(help.contains("`builder.tokens`") && !help.contains("slipway admin"), "{help}");
    }
}
