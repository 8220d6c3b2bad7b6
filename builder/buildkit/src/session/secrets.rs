//! Secrets for `RUN --mount=type=secret`, kept in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::Secrets as SecretsService;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use tonic::{Request, Response, Status};

/// The value of a secret; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

/// Secrets by id. The daemon asks for some on its own (`GIT_AUTH_TOKEN`, `GIT_AUTH_TOKEN.<host>`): give only names
/// qualified by a host, for the bare ones go to whatever host a Dockerfile names.
#[derive(Clone, Default)]
pub struct Secrets(Arc<HashMap<String, Secret>>);

impl FromIterator<(String, Secret)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, Secret)>>(secrets: I) -> Self {
        Self(Arc::new(secrets.into_iter().collect()))
    }
}

#[tonic::async_trait]
impl SecretsService for Secrets {
    async fn get_secret(&self, asked: Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        let id = asked.into_inner().id;
        // Any other code than `not_found` would fail builds whose secret is optional.
        let secret = self.0.get(&id).ok_or_else(|| Status::not_found(format!("secret {id} not found")))?;
        Ok(Response::new(GetSecretResponse { data: secret.0.clone() }))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unknown_secrets_are_not_found() {
        let secrets: Secrets = [("npm".to_owned(), Secret(b"hunter2".to_vec()))].into_iter().collect();
        let ask =
            |id: &str| secrets.get_secret(Request::new(GetSecretRequest { id: id.to_owned(), ..Default::default() }));
        assert_eq!(ask("npm").await.unwrap().into_inner().data, b"hunter2");
        assert_eq!(ask("GIT_AUTH_TOKEN").await.unwrap_err().code(), tonic::Code::NotFound);
        assert!(!format!("{secrets:?} {:?}", Secret(b"hunter2".to_vec())).contains("hunter2"));
    }
}
