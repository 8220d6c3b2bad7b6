//! The client's side of a build: a gRPC server, run over a stream of the daemon's, that answers what the build asks
//! of us: credentials, secrets and files.
//!
//! It answers for what it was given and for nothing else. Dropping the [`Session`] ends it.

mod auth;
mod health;
mod secrets;

use std::collections::BTreeMap;
use std::io;

use bollard_buildkit_proto::health::health_server::HealthServer;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::filesync::packet::file_sync_server::FileSyncServer;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio_util::io::{ReaderStream, StreamReader};
use tokio_util::task::AbortOnDropHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Routes;
use tonic::{Request, Status, Streaming};

use crate::client::{Client, ClientError, MAX_HEADER_LIST, MAX_MESSAGE};
use crate::filesync::FileSync;
pub use auth::{Credential, Credentials};
pub use secrets::{Secret, Secrets};

/// Bytes in flight between our server and the daemon's stream.
const PIPE: usize = 256 << 10;

/// What the session answers for.
#[derive(Debug, Clone, Default)]
pub struct Services {
    pub credentials: Credentials,
    pub secrets: Secrets,
    /// None for a build without local directories.
    pub(crate) files: Option<FileSync>,
    /// Sessions with the same key share what they sent before.
    pub shared_key: String,
}

/// A running session; the daemon knows it by its id.
#[derive(Debug)]
pub struct Session {
    id: String,
    _stop: oneshot::Sender<()>,
    _server: AbortOnDropHandle<()>,
}
