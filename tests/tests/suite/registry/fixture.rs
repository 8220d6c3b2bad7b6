//! One server a database for all tests, with two people who have nothing in common.

use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Method};
use serde_json::Value;
use slipway_tests::{Postgres, Server, ServerBuilder};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::answer::Answer;
use super::content::decode_claims;
use super::session::Session;

/// Which database a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// A server as tests reach it. Mona owns `mona`, Eve owns `eve`; neither may anything in the other's namespace.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    /// `localhost:PORT`.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) url: String,
    pub(super) mona: String,
    /// Mona's token that may only read.
    pub(super) mona_reads: String,
    pub(super) eve: String,
    http: Client,
}

/// The server that all tests of this process share, and its addresses.
struct Shared {
    server: Server,
    registry: Registry,
}

static ON_SQLITE: OnceCell<Shared> = OnceCell::const_new();
static ON_POSTGRES: OnceCell<Shared> = OnceCell::const_new();

async fn shared(kind: Kind) -> &'static Shared {
    let cell = match kind {
        Kind::Sqlite => &ON_SQLITE,
        Kind::Postgres => &ON_POSTGRES,
    };
    let start = || async {
        let (server, registry) = own(kind, |builder| builder).await;
        Shared { server, registry }
    };
    cell.get_or_init(start).await
}

/// A server of the test's own, to be killed, filled or set up otherwise.
pub(super) async fn own(kind: Kind, set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (Server, Registry) {
    let mut builder = Server::builder().env("SLIPWAY_BUILDER_EMBEDDED", "false");
    if kind == Kind::Postgres {
        builder = builder.database(Postgres::database().await);
    }
    let server = set_up(builder).start().await;
    let registry = Registry {
        host: server.host(),
        port: server.port(),
        url: server.url(""),
        mona: server.person("mona").await,
        mona_reads: server.token("mona", "read").await,
        eve: server.person("eve").await,
        http: http(),
    };
    (server, registry)
}

// Connections belong to the runtime of one test.
fn http() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client without TLS files")
}

impl Registry {
    /// The shared server on this database. Repositories there need names of their own: `repository()`.
    pub(super) async fn on(kind: Kind) -> Self {
        Self { http: http(), ..shared(kind).await.registry.clone() }
    }

    /// The same people and tokens at another server.
    pub(super) fn at(&self, server: &Server) -> Self {
        Self { host: server.host(), port: server.port(), url: server.url(""), ..self.clone() }
    }

    /// The same with a client that trusts the server's certificate.
    pub(super) fn trusting(self, server: &Server) -> Self {
        Self { http: server.http().build().expect("a client"), ..self }
    }

    /// The shared server itself, for `slipway admin`; it must be left as it is.
    pub(super) async fn server(kind: Kind) -> &'static Server {
        &shared(kind).await.server
    }

    /// A name in Mona's namespace that nobody else uses.
    #[expect(clippy::unused_self, reason = "a name is good on the server that it is asked of")]
    pub(super) fn repository(&self) -> String {
        format!("mona/r{}", Uuid::new_v4().simple())
    }

    /// Asks the token endpoint, with a password or anonymously.
    pub(super) async fn ask_token(&self, password: Option<&str>, scopes: &[&str]) -> Answer {
        let query: Vec<_> = scopes.iter().map(|scope| ("scope", *scope)).collect();
        let mut request = self.http.get(format!("{}/token", self.url)).query(&query);
        if let Some(password) = password {
            request = request.basic_auth("somebody", Some(password));
        }
        let response = request.send().await.expect("the server answers");
        Answer::read(format!("GET /token for {scopes:?}"), response).await
    }

    /// A bearer for these scopes, as far as they are granted.
    pub(super) async fn bearer(&self, password: Option<&str>, scopes: &[&str]) -> String {
        let answer = self.ask_token(password, scopes).await.is(200).json();
        answer["token"].as_str().expect("an answer has a token").to_owned()
    }

    /// What the token endpoint grants of these scopes: the bearer's access list.
    pub(super) async fn granted(&self, password: Option<&str>, scopes: &[&str]) -> Value {
        decode_claims(&self.bearer(password, scopes).await)["access"].take()
    }

    /// A client with everything that this password may do in these repositories.
    pub(super) async fn signed_in(&self, password: &str, repositories: &[&str]) -> Session {
        let scopes: Vec<_> = repositories.iter().map(|name| format!("repository:{name}:pull,push,delete")).collect();
        let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
        self.with(Some(&self.bearer(Some(password), &scopes).await))
    }

    /// Mona as she pushes to, pulls from and deletes in these repositories. What is not there yet cannot be deleted from.
    pub(super) async fn mona(&self, repositories: &[&str]) -> Session {
        self.signed_in(&self.mona, repositories).await
    }

    /// A new name, and Mona as she pushes there.
    pub(super) async fn new_repository(&self) -> (String, Session) {
        let name = self.repository();
        let mona = self.mona(&[&name]).await;
        (name, mona)
    }

    /// A repository that has an image `v1`, and Mona with all rights there.
    pub(super) async fn with_image(&self) -> (String, Session, super::session::Image) {
        let (name, mona) = self.new_repository().await;
        let image = mona.push_image(&name, "v1").await;
        (name.clone(), self.mona(&[&name]).await, image)
    }

    /// A client with this bearer, or with none.
    pub(super) fn with(&self, bearer: Option<&str>) -> Session {
        Session::new(self.http.clone(), self.url.clone(), bearer.map(|b| format!("Bearer {b}")))
    }

    /// Who has no account, but a bearer for what everybody may.
    pub(super) async fn anonymous(&self, repositories: &[&str]) -> Session {
        let scopes: Vec<_> = repositories.iter().map(|name| format!("repository:{name}:pull,push,delete")).collect();
        let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
        self.with(Some(&self.bearer(None, &scopes).await))
    }

    /// A client that sends any `Authorization` header.
    pub(super) fn authorized(&self, authorization: &str) -> Session {
        Session::new(self.http.clone(), self.url.clone(), Some(authorization.to_owned()))
    }

    /// A request of any form.
    pub(super) fn request(&self, method: Method, path: &str, authorization: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }
}
