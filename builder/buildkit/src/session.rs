//! The client's side of a build: a gRPC server, run over a stream of the daemon's, that answers what the build asks
//! of us: credentials, secrets and files.
//!
//! It answers for what it was given and for nothing else, and refuses all once the build is over (`closing.rs`).
//! Dropping the [`Session`] ends it.

mod auth;
mod closing;
mod health;
mod secrets;

use std::io;

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::filesync::packet::file_sync_server::FileSyncServer;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use bytes::Bytes;
use futures_util::future::Shared;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, future, stream};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio_util::io::{ReaderStream, StreamReader};
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Streaming};

use crate::client::{Client, ClientError, MAX_HEADER_LIST, MAX_MESSAGE};
use crate::filesync::FileSync;
use crate::task::Task;
pub use auth::{Credential, Credentials};
use closing::Closed;
pub(crate) use closing::Lingering;
pub use secrets::{Secret, Secrets};

/// Bytes in flight between our server and the daemon's stream.
const PIPE: usize = 256 << 10;

/// What a session answers for.
#[derive(Debug, Clone, Default)]
pub struct Services {
    pub credentials: Credentials,
    pub secrets: Secrets,
    /// None when the build has no local directories.
    pub files: Option<FileSync>,
    /// Sessions with the same key build on what they sent before.
    pub shared_key: String,
}

/// A running session, for as long as it is held.
#[derive(Debug)]
pub struct Session {
    id: String,
    closed: Closed,
    // Fields are dropped in this order: our stream to the daemon ends first.
    _stop: oneshot::Sender<()>,
    _inbound: Task<()>,
    _server: Task<()>,
}

impl Session {
    pub async fn start(client: &Client, services: Services) -> Result<Self, ClientError> {
        let id = crate::random_id();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = stopped.map(|_dropped| ()).boxed().shared();
        let (near, far) = tokio::io::duplex(PIPE);
        let (from_server, to_server) = tokio::io::split(far);

        let mut request = Request::new(outbound(from_server, stopped.clone()));
        announce(request.metadata_mut(), &id, &services).map_err(|_invalid| ClientError::SharedKey)?;
        let inbound = client.control().session(request).await?.into_inner();
        let closed = Closed::default();
        Ok(Self {
            id,
            closed: closed.clone(),
            _stop: stop,
            _inbound: Task::spawn(pump(inbound, to_server)),
            _server: Task::spawn(serve(near, services, closed, stopped)),
        })
    }

    /// What a solve request names it by.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Tells the daemon who we are and which services we run; it asks for no others.
fn announce(metadata: &mut MetadataMap, id: &str, services: &Services) -> Result<(), InvalidMetadataValue> {
    const METHOD: &str = "x-docker-expose-session-grpc-method";
    let key: MetadataValue<Ascii> = services.shared_key.parse()?;
    metadata.insert("x-docker-expose-session-uuid", id.parse()?);
    metadata.insert("x-docker-expose-session-sharedkey", key);
    for method in [
        "/grpc.health.v1.Health/Check",
        "/moby.filesync.v1.Auth/Credentials",
        "/moby.filesync.v1.Auth/FetchToken",
        "/moby.filesync.v1.Auth/GetTokenAuthority",
        "/moby.filesync.v1.Auth/VerifyTokenAuthority",
        "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    ] {
        metadata.append(METHOD, MetadataValue::from_static(method));
    }
    if services.files.is_some() {
        metadata.append(METHOD, MetadataValue::from_static("/moby.filesync.v1.FileSync/DiffCopy"));
    }
    Ok(())
}

type Stopped = Shared<future::BoxFuture<'static, ()>>;

/// What our server says, to the daemon.
fn outbound(from_server: ReadHalf<DuplexStream>, stopped: Stopped) -> impl Stream<Item = BytesMessage> {
    ReaderStream::with_capacity(from_server, 32 << 10)
        // It ends after an error.
        .filter_map(|read| future::ready(read.ok()))
        .map(|bytes| BytesMessage { data: bytes.to_vec() })
        .take_until(stopped)
}

/// What the daemon says, to our server.
async fn pump(inbound: Streaming<BytesMessage>, mut to_server: WriteHalf<DuplexStream>) {
    let bytes = inbound.map_ok(|message| Bytes::from(message.data)).map_err(io::Error::other);
    if let Err(error) = tokio::io::copy(&mut StreamReader::new(bytes), &mut to_server).await {
        tracing::debug!(%error, "the session's stream broke off");
    }
    // An error here only says that our server is gone already.
    let _ = to_server.shutdown().await;
}

async fn serve(near: DuplexStream, services: Services, closed: Closed, stopped: Stopped) {
    let guard = || closed.clone();
    let mut routes = Routes::new(HealthServer::new(health::Serving))
        .add_service(InterceptedService::new(AuthServer::new(services.credentials), guard()))
        .add_service(InterceptedService::new(SecretsServer::new(services.secrets), guard()));
    if let Some(files) = services.files {
        let server = FileSyncServer::new(files);
        let server = server.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        routes = routes.add_service(InterceptedService::new(server, guard()));
    }
    let incoming = stream::once(future::ready(Ok::<_, io::Error>(near))).chain(stream::pending());
    let served = tonic::transport::Server::builder()
        // The patterns of a .dockerignore arrive as metadata.
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopped)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "the session's server ended");
    }
}
