//! The connection to a daemon.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};

use crate::admin::Info;

/// A failed build carries its whole Dockerfile in the trailers; the default of 16 KiB loses error and all.
pub(crate) const MAX_HEADER_LIST: u32 = 16 << 20;
pub(crate) const MAX_MESSAGE: usize = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a daemon listens.
#[derive(Debug, Clone)]
pub enum Addr {
    Unix(PathBuf),
    Tcp {
        /// `builder.internal:1234`.
        host: String,
        tls: Option<Tls>,
    },
}

/// Mutual TLS; all three in PEM.
#[derive(Clone)]
pub struct Tls {
    pub ca: Vec<u8>,
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
    /// The name in the daemon's certificate, if it is not the host.
    pub server_name: Option<String>,
}

/// A daemon that answered. Cheap to clone; carries any number of builds at once, and outlives restarts of the daemon.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    daemon: Info,
    parting: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{addr}` is not an address of a BuildKit daemon: {source}")]
    Address { addr: String, source: tonic::transport::Error },
    #[error("no BuildKit daemon answers at {addr}")]
    Unreachable { addr: String, source: tonic::transport::Error },
    #[error("the BuildKit daemon at {addr} did not answer within {secs} s")]
    TimedOut { addr: String, secs: u64 },
    #[error("a session's shared key must be one printable line")]
    SharedKey,
    #[error("the BuildKit daemon refused: {}", .0.message())]
    Refused(Box<tonic::Status>),
    #[error("the connection to the BuildKit daemon broke: {}", .0)]
    Broken(String),
}

/// Connects and asks the daemon who it is: a client certificate that it rejects shows up only then.
pub async fn connect(addr: &Addr) -> Result<Client, ClientError> {
    let timed_out = || ClientError::TimedOut { addr: addr.to_string(), secs: CONNECT_TIMEOUT.as_secs() };
    tokio::time::timeout(CONNECT_TIMEOUT, async {
        let channel = open(addr).await?;
        let daemon = crate::admin::info(channel.clone()).await?;
        Ok(Client { channel, daemon, parting: CancellationToken::new() })
    })
    .await
    .unwrap_or_else(|_elapsed| Err(timed_out()))
}

impl Client {
    /// The daemon as it was when we connected.
    pub fn daemon(&self) -> &Info {
        &self.daemon
    }

    /// Lets go of the sessions of builds that are over: a daemon that is asked to end waits for all that are open.
    pub fn part(&self) {
        self.parting.cancel();
    }

    pub(crate) fn parting(&self) -> CancellationToken {
        self.parting.clone()
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn control(&self) -> ControlClient<Channel> {
        control(self.channel())
    }
}

pub(crate) fn control(channel: Channel) -> ControlClient<Channel> {
    ControlClient::new(channel).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE)
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> Self {
        match broken_by(&status) {
            Some(cause) => Self::Broken(cause),
            None => Self::Refused(Box::new(status)),
        }
    }
}

/// What broke the connection, if that is why the call failed: only our own side's errors have a source.
pub(crate) fn broken_by(status: &tonic::Status) -> Option<String> {
    let mut cause = status.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

async fn open(addr: &Addr) -> Result<Channel, ClientError> {
    let unreachable = |source| ClientError::Unreachable { addr: addr.to_string(), source };
    match addr {
        Addr::Unix(path) => open_unix(path.clone()).await.map_err(unreachable),
        Addr::Tcp { host, tls } => {
            let endpoint = tcp_endpoint(host, tls.as_ref())
                .map_err(|source| ClientError::Address { addr: addr.to_string(), source })?;
            endpoint.connect().await.map_err(unreachable)
        }
    }
}

async fn open_unix(path: PathBuf) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
    });
    with_limits(Endpoint::from_static("http://buildkitd.local")).connect_with_connector(connector).await
}

fn tcp_endpoint(host: &str, tls: Option<&Tls>) -> Result<Endpoint, tonic::transport::Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = with_limits(Endpoint::from_shared(format!("{scheme}://{host}"))?).tcp_nodelay(true);
    let Some(tls) = tls else { return Ok(endpoint) };
    let mut config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&tls.ca))
        .identity(Identity::from_pem(&tls.cert, &tls.key));
    if let Some(name) = &tls.server_name {
        config = config.domain_name(name);
    }
    endpoint.tls_config(config)
}

fn with_limits(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .keep_alive_while_idle(true)
}

impl From<&Path> for Addr {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl std::fmt::Display for Addr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, .. } => write!(f, "tcp://{host}"),
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}
