//! `slipway-forge`: the small forge as a program, for the demo and for scripts.

use std::{
    fs,
    io::{IsTerminal, Write},
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use slipway_forge::{Client, Demo, Forge, ForgeConfig};

const EXAMPLE: &str = "Example:
  slipway-forge serve --demo --data ./forge-data --public-url http://localhost:8090
  git clone http://localhost:8090/mona/hello.git     # push as mona, password demo";

/// A small GitHub-shaped forge: sign-in, API, webhooks and git over HTTP.
///
/// For tests and demonstrations only: whoever reaches it may be anybody.
#[derive(Parser)]
#[command(name = "slipway-forge", version, after_help = EXAMPLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the forge until it is interrupted
    Serve(Serve),
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
struct Serve {
    /// Address to listen on; keep it on loopback
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Folder for repositories and state; made when absent
    #[arg(long)]
    data: PathBuf,
    /// How browsers and programs reach the forge [default: the listening address]
    #[arg(long)]
    public_url: Option<String>,
    /// Make person `mona` (password `demo`), organisation `octo-demo` and two sample repositories
    #[arg(long)]
    demo: bool,
    /// Static busybox that the sample images are made of
    #[arg(long, default_value = "/bin/busybox", value_name = "PATH")]
    busybox: PathBuf,
    /// Id of the OAuth app; id and secret are otherwise kept in DATA/client.json
    #[arg(long, requires = "client_secret")]
    client_id: Option<String>,
    /// Secret of the OAuth app
    #[arg(long, requires = "client_id", env = "SLIPWAY_FORGE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Name of the OAuth app on the consent page
    #[arg(long, default_value = "Slipway")]
    app_name: String,
    /// Where the consent page may return to; may be given several times
    #[arg(long, default_values = ["http://localhost/", "http://127.0.0.1/"], value_name = "URL")]
    callback_url: Vec<String>,
    /// Refuse webhooks for localhost and private addresses, as GitHub does
    #[arg(long)]
    refuse_local_hooks: bool,
    /// Offer /_control, by which tests steer the forge
    #[arg(long)]
    control: bool,
}

fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_unset| "slipway_forge=info,warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let Command::Serve(options) = Cli::parse().command;
    serve(&options)
}

fn serve(options: &Serve) -> Result<()> {
    fs::create_dir_all(&options.data).with_context(|| format!("making {}", options.data.display()))?;
    let client = client(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let forge = Forge::try_start(ForgeConfig {
        listen: options.listen,
        data: Some(options.data.clone()),
        public_url: options.public_url.clone(),
        client: client.clone(),
        app_name: options.app_name.clone(),
        callback_urls: options.callback_url.clone(),
        refuse_local_hooks: options.refuse_local_hooks,
        control: options.control,
        ..ForgeConfig::default()
    })?;
    let mut lines = vec![format!("The forge is at {}, its API at {}.", forge.url(), forge.api_url())];
    if options.demo {
        let demo = Demo::prepare(&forge, &options.busybox)?;
        lines.push(format!("Push as {} with the password {}.", demo.login, demo.password));
        lines.extend(demo.repositories.iter().map(|name| format!("  git clone {}/{name}.git", forge.url())));
    }
    let file = options.data.join("client.json");
    lines.push(format!("OAuth client id {}, secret in {}.", client.client_id, file.display()));
    lines.push(String::new());
    std::io::stdout().write_all(lines.join("\n").as_bytes())?;
    runtime.block_on(stop_asked())
}

/// The OAuth app's credentials: given, kept from last time, or made.
fn client(options: &Serve) -> Result<Client> {
    let file = options.data.join("client.json");
    let client = match (&options.client_id, &options.client_secret) {
        (Some(id), Some(secret)) => Client { client_id: id.clone(), client_secret: secret.clone() },
        _ if file.exists() => {
            let text = fs::read(&file)?;
            return serde_json::from_slice(&text).with_context(|| format!("understanding {}", file.display()));
        }
        _ => Client::new("slipway-demo"),
    };
    write_private(&file, &serde_json::to_vec_pretty(&client)?)?;
    Ok(client)
}

fn write_private(file: &Path, text: &[u8]) -> Result<()> {
    let mut open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    open.set_permissions(fs::Permissions::from_mode(0o600))?;
    open.write_all(text)?;
    Ok(())
}

async fn stop_asked() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
