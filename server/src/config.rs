//! The operator's settings: one TOML file and `SLIPWAY_*` variables; a variable wins.
//!
//! Everything is checked before anything starts. An error names key, value and remedy.

mod builder;
mod builds;
mod files;
mod origins;
mod table;
mod values;

pub use builder::Builder;
pub use table::SETTINGS;

use ipnet::IpNet;
use slipway_protocol::{HeadersSecret, Mirror, RegistryLogin};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use url::Url;
use values::Values;

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    /// What people type; without a slash at the end.
    pub public_url: Url,
    /// What builders use.
    pub internal_url: Url,
    /// Builders have a port of their own on loopback, and `internal_url` names it once it is bound:
    /// `listen` speaks TLS, and no certificate is for loopback.
    pub internal_port: bool,
    pub database_url: String,
    pub database_connections: u32,
    /// The certificate and its key, read already.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub trusted_proxies: Vec<IpNet>,
    /// Sites whose scripts may speak to the registry, as browsers write them: `https://ui.example.com`.
    pub cors_origins: Vec<String>,
    pub log_json: bool,
    pub log_level: String,
    pub github: Option<GitHub>,
    pub sign_in: SignIn,
    pub builder: Builder,
    pub builds: Builds,
    pub min_free_bytes: u64,
    pub keep_removed_secs: u64,
    pub uploads: Uploads,
    /// Of one namespace, at most.
    pub repositories_per_namespace: u64,
    pub keep: Keep,
    pub poll_secs: u64,
}

/// An OAuth App at github.com, GitHub Enterprise, or a forge of the same shape.
#[derive(Clone, Debug)]
pub struct GitHub {
    pub url: Url,
    pub client_id: String,
    pub client_secret: HeadersSecret,
}

impl GitHub {
    /// How rows name this forge: its address without a slash at the end.
    pub fn identity_url(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }
}

/// Who may sign in: people the operator named, members of named organisations, holders of an invitation, or everybody.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub users: Vec<String>,
    pub organizations: Vec<String>,
    pub site_admins: Vec<String>,
    pub everybody: bool,
}

/// Days after which what happened is forgotten; 0 for never.
#[derive(Clone, Debug)]
pub struct Keep {
    pub logs: u32,
    pub events: u32,
    pub tag_moves: u32,
}

/// What one account, or one attempt of a build, may have begun and not ended.
#[derive(Clone, Debug)]
pub struct Uploads {
    pub open: u64,
    pub bytes: u64,
}

/// What every build gets.
#[derive(Clone, Debug)]
pub struct Builds {
    pub deadline_secs: u64,
    pub per_namespace: u32,
    /// Hosts that `ADD` may fetch from with git.
    pub git_hosts: Vec<String>,
    pub mirrors: Vec<Mirror>,
    pub logins: Vec<RegistryLogin>,
    pub ca_files: Vec<PathBuf>,
}

impl Config {
    /// From the environment and the file it names.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        Self::from_values(Values::load(file, std::env::vars_os())?)
    }

    /// The file of the database, where that is SQLite.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        self.database_url.strip_prefix("sqlite:").map(|path| PathBuf::from(path.trim_start_matches("//")))
    }

    fn from_values(mut v: Values) -> Result<Self, String> {
        let data_dir = std::path::absolute(v.text("data_dir")).map_err(|e| format!("data_dir: {e}"))?;
        let listen: SocketAddr = v.parse("listen", "an address and port such as `127.0.0.1:8080`")?;
        let public_url = v.url("public_url")?.ok_or("public_url: is needed, for example `http://localhost:8080`")?;
        let tls = tls(&mut v, &public_url)?;
        let builder = builder::read(&mut v)?;
        let given = v.url("internal_url")?;
        let internal_port = given.is_none() && tls.is_some() && builder.embedded;
        let internal_url = match given {
            Some(url) => url,
            // BuildKit writes the host that it pushes to into the provenance: the public one, where it leads here.
            None if leads_here(&public_url, listen) => public_url.clone(),
            // Builders elsewhere come as people do.
            None if !builder.embedded => public_url.clone(),
            None => loopback(listen)?,
        };
        let database_url = match v.text("database.url") {
            text if text.is_empty() => format!("sqlite:{}", data_dir.join("slipway.db").display()),
            text if text.starts_with("postgres://")
                || text.starts_with("postgresql://")
                || text.starts_with("sqlite:") =>
            {
                text
            }
            _ => {
                return Err(
                    "database.url: use `sqlite:/path/slipway.db` or `postgres://user:password@host/database`".into()
                );
            }
        };
        let log_format = v.one_of("log.format", &["text", "json"])?;
        Ok(Self {
            listen,
            internal_url,
            internal_port,
            database_connections: connections(&mut v)?,
            trusted_proxies: v.list("trusted_proxies", "networks such as `10.0.0.0/8`")?,
            cors_origins: origins::read(&v.words("registry.cors_origins"))?,
            log_json: log_format == "json",
            log_level: log_level(&mut v)?,
            github: github(&mut v)?,
            sign_in: SignIn {
                users: v.words("sign_in.users"),
                organizations: v.words("sign_in.organizations"),
                site_admins: v.words("sign_in.site_admins"),
                everybody: v.parse("sign_in.everybody", "`true` or `false`")?,
            },
            builder,
            builds: builds::read(&mut v)?,
            min_free_bytes: v.parse("storage.min_free_bytes", "a number of bytes")?,
            keep_removed_secs: v.parse("storage.keep_removed_secs", "a number of seconds")?,
            keep: keep(&mut v)?,
            uploads: Uploads {
                open: v.at_least("uploads.open", 1, "a number of uploads from 1 on")?,
                bytes: v.at_least("uploads.bytes", 1, "a number of bytes from 1 on")?,
            },
            repositories_per_namespace: v.at_least(
                "repositories.per_namespace",
                1,
                "a number of repositories from 1 on",
            )?,
            poll_secs: v.at_least("sources.poll_secs", 1, "a number of seconds from 1 on")?,
            data_dir,
            public_url,
            database_url,
            tls,
        })
    }

    /// Host and port that people type, `localhost:8080`.
    pub fn public_host(&self) -> String {
        authority(&self.public_url)
    }

    /// An absolute link for people; `path` starts with `/`.
    pub fn public_link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

/// `host:port` of a URL, the port only when it is not the scheme's own.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A public URL on this machine's loopback and our own port.
fn leads_here(public: &Url, listen: SocketAddr) -> bool {
    let on_loopback = match public.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    on_loopback && public.scheme() == "http" && public.port_or_known_default() == Some(listen.port())
}

fn loopback(listen: SocketAddr) -> Result<Url, String> {
    let host = match listen {
        SocketAddr::V4(a) if !a.ip().is_unspecified() => a.ip().to_string(),
        SocketAddr::V6(a) if !a.ip().is_unspecified() => format!("[{}]", a.ip()),
        _ => "127.0.0.1".to_owned(),
    };
    Url::parse(&format!("http://{host}:{}", listen.port())).map_err(|e| format!("internal_url: {e}"))
}

fn connections(v: &mut Values) -> Result<u32, String> {
    let (key, remedy) = ("database.connections", "a number from 1 to 1000");
    let number = v.at_least(key, 1, remedy)?;
    if number > 1000 { Err(format!("{key}: `{number}` is too large; write {remedy}")) } else { Ok(number) }
}

fn keep(v: &mut Values) -> Result<Keep, String> {
    let mut days = |key| v.parse(key, "a number of days, or 0");
    Ok(Keep { logs: days("keep.log_days")?, events: days("keep.event_days")?, tag_moves: days("keep.tag_move_days")? })
}

fn log_level(v: &mut Values) -> Result<String, String> {
    let text = v.text("log.level");
    match EnvFilter::try_new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!(
            "log.level: `{text}` is not right ({error}); write `error`, `warn`, `info`, `debug`, or a filter such as `slipway=debug,info`"
        )),
    }
}

fn tls(v: &mut Values, public_url: &Url) -> Result<Option<Arc<rustls::ServerConfig>>, String> {
    let (certificate, key) = (v.text("tls.certificate"), v.text("tls.key"));
    match (certificate.is_empty(), key.is_empty()) {
        (true, true) => Ok(None),
        (false, false) if public_url.scheme() == "http" => Err(format!(
            "public_url: `{}` is http, but tls.certificate and tls.key make `listen` speak https; write `https://…`",
            public_url.as_str().trim_end_matches('/')
        )),
        (false, false) => files::tls(Path::new(&certificate), Path::new(&key)).map(Some),
        _ => Err("tls.certificate and tls.key: set both, or neither and put a proxy in front".into()),
    }
}

fn github(v: &mut Values) -> Result<Option<GitHub>, String> {
    let url = v.url("github.url")?.ok_or("github.url: is needed, for example `https://github.com`")?;
    let (client_id, client_secret) = (v.text("github.client_id"), v.text("github.client_secret"));
    match (client_id.is_empty(), client_secret.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(GitHub { url, client_id, client_secret: HeadersSecret(client_secret) })),
        _ => {
            Err("github.client_id and github.client_secret: set both; they are those of the OAuth App at GitHub".into())
        }
    }
}
