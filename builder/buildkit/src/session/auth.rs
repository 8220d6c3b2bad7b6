//! Registry logins: the daemon asks for a host's credentials and fetches tokens by itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::auth_server::Auth;
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use tonic::{Request, Response, Status};

const DOCKER_HUB: &str = "registry-1.docker.io";

/// The login of one registry host. With an empty user name the password is an identity token.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub username: String,
    pub password: String,
}

/// Registry logins by host (`localhost:5000`, `docker.io`). Every other host gets none.
#[derive(Clone, Default)]
pub struct Credentials(Arc<HashMap<String, Credential>>);

impl FromIterator<(String, Credential)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (String, Credential)>>(logins: I) -> Self {
        Self(Arc::new(logins.into_iter().map(|(host, login)| (canonical(&host), login)).collect()))
    }
}

impl Credentials {
    fn of(&self, host: &str) -> CredentialsResponse {
        let Some(login) = self.0.get(&canonical(host)) else {
            return CredentialsResponse::default();
        };
        CredentialsResponse { username: login.username.clone(), secret: login.password.clone() }
    }
}

/// Docker Hub goes by several names; other hosts only by their own.
fn canonical(host: &str) -> String {
    match host {
        "docker.io" | "index.docker.io" | "https://index.docker.io/v1/" => DOCKER_HUB.to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

#[tonic::async_trait]
impl Auth for Credentials {
    async fn credentials(&self, asked: Request<CredentialsRequest>) -> Result<Response<CredentialsResponse>, Status> {
        let host = asked.into_inner().host;
        tracing::debug!(registry.host = %host, known = self.0.contains_key(&canonical(&host)), "credentials asked for");
        Ok(Response::new(self.of(&host)))
    }

    // `unavailable` makes the daemon ask for `credentials` and fetch the token itself.
    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unavailable("this client makes no tokens"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unavailable("this client makes no tokens"))
    }

    async fn fetch_token(&self, _: Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("this client makes no tokens"))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_get_a_login() {
        let login = Credential { username: "robot".to_owned(), password: "hunter2".to_owned() };
        let credentials: Credentials =
            [("localhost:5000".to_owned(), login.clone()), ("docker.io".to_owned(), login)].into_iter().collect();
        assert_eq!(credentials.of("localhost:5000").secret, "hunter2");
        assert_eq!(credentials.of("registry-1.docker.io").username, "robot");
        for stranger in ["localhost", "localhost:5001", "evil.localhost:5000", "", "docker.io.evil.test"] {
            assert_eq!(credentials.of(stranger), CredentialsResponse::default(), "{stranger}");
        }
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
