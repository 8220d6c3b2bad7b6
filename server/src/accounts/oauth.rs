//! OAuth at GitHub, and the question that every sign-in asks there: who is this?
//!
//! The only file that knows the `oauth2` crate. GitHub takes the client's secret in the body, and answers errors with 200.

use crate::app::App;
use crate::config::GitHub;
use crate::error::{Context, ForgeError, Result};
use crate::secrets::Secret;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpClientError, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
    TokenUrl,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The one address that a code may be sent to; it is registered at the forge.
pub(super) const CALLBACK: &str = "/login/github/callback";

/// What a code was exchanged for.
pub(super) struct Granted {
    pub(super) token: Secret,
    /// As the forge says it, words with spaces between.
    pub(super) scopes: Vec<String>,
}

/// An account as the forge tells it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) name: Option<String>,
}

/// Where to send the browser.
pub(super) fn authorize_url(
    app: &App,
    github: &GitHub,
    state: &Secret,
    verifier: &Secret,
    scopes: &[&str],
) -> Result<Url> {
    // The forge gets the state and the challenge through the browser; the verifier stays here.
    let verifier = PkceCodeVerifier::new(verifier.reveal().to_owned());
    let state = CsrfToken::new(state.reveal().to_owned());
    let client = client(app, github)?;
    let request = client
        .authorize_url(|| state)
        .add_scopes(scopes.iter().map(|s| Scope::new((*s).to_owned())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    Ok(request.url().0)
}

/// Exchanges a code for a token.
pub(super) async fn exchange(app: &App, github: &GitHub, code: String, verifier: &Secret) -> Result<Granted> {
    let client = client(app, github)?;
    let http = |request| send(app.http.clone(), request);
    let answer = client
        .exchange_code(AuthorizationCode::new(code))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.reveal().to_owned()))
        .request_async(&http)
        .await;
    let answer = answer.map_err(|error| match error {
        RequestTokenError::ServerResponse(e) => refused(e.error().as_ref(), e.error_description().map(String::as_str)),
        RequestTokenError::Request(e) => ForgeError::Unreachable(innermost(&e)),
        RequestTokenError::Parse(_, body) => match serde_json::from_slice::<OauthError>(&body) {
            Ok(e) => refused(&e.error, e.error_description.as_deref()),
            Err(_) => ForgeError::Unreachable("its answer to the code cannot be read".into()),
        },
        RequestTokenError::Other(text) => ForgeError::Unreachable(text),
    })?;
    // GitHub writes commas between scopes where the standard has spaces.
    let scopes = answer.scopes().into_iter().flatten().flat_map(|s| s.split([',', ' '])).filter(|s| !s.is_empty());
    Ok(Granted {
        scopes: scopes.map(str::to_owned).collect(),
        token: Secret::new(answer.access_token().secret().clone()),
    })
}

#[derive(Deserialize)]
struct OauthError {
    error: String,
    error_description: Option<String>,
}

fn refused(code: &str, description: Option<&str>) -> ForgeError {
    ForgeError::Refused(match code {
        "incorrect_client_credentials" => {
            "it does not accept the client id or secret of this server; the operator must correct `github.client_secret`"
                .into()
        }
        "redirect_uri_mismatch" => format!(
            "the callback address of the OAuth App is another one; the operator must set it to `<public_url>{CALLBACK}`"
        ),
        _ => description.unwrap_or(code).to_owned(),
    })
}

fn client(app: &App, github: &GitHub) -> Result<Client> {
    let page = |path: &str| github.url.join(path).context("joining an address of the forge");
    let redirect = RedirectUrl::new(app.config.public_link(CALLBACK)).context("making the callback address")?;
    Ok(BasicClient::new(ClientId::new(github.client_id.clone()))
        .set_client_secret(ClientSecret::new(github.client_secret.0.clone()))
        .set_auth_uri(AuthUrl::from_url(page("/login/oauth/authorize")?))
        .set_token_uri(TokenUrl::from_url(page("/login/oauth/access_token")?))
        .set_redirect_uri(redirect)
        .set_auth_type(AuthType::RequestBody))
}

// `oauth2` brings a client for an older reqwest; this is the same for ours.
async fn send(
    http: reqwest::Client,
    request: oauth2::HttpRequest,
) -> std::result::Result<oauth2::HttpResponse, HttpClientError<reqwest::Error>> {
    let (parts, body) = request.into_parts();
    let answer = http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
    let answer = answer.await.map_err(Box::new)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut out = oauth2::HttpResponse::new(answer.bytes().await.map_err(Box::new)?.to_vec());
    *out.status_mut() = status;
    *out.headers_mut() = headers;
    Ok(out)
}

/// Whose the token is.
pub(super) async fn account_of(app: &App, github: &GitHub, token: &Secret) -> Result<Account> {
    get(app, github, "user", token).await?.ok_or_else(|| ForgeError::Revoked.into())
}

/// `None` when the forge says that there is no such thing, or does not know the token.
async fn get<T: DeserializeOwned>(app: &App, github: &GitHub, path: &str, token: &Secret) -> Result<Option<T>> {
    let unreachable = |e: reqwest::Error| ForgeError::Unreachable(innermost(&e));
    let answer = app
        .http
        .get(format!("{}/{path}", api(&github.url)))
        .bearer_auth(token.reveal())
        .header("accept", "application/vnd.github+json")
        .send()
        .await
        .map_err(unreachable)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    match status.as_u16() {
        200 => Ok(Some(answer.json().await.map_err(unreachable)?)),
        401 | 404 => Ok(None),
        // A forge that asks to wait, or an organisation that keeps the app out, has not said no to the person.
        _ => Err(crate::forge::meaning(status, &headers, &answer.bytes().await.map_err(unreachable)?).into()),
    }
}

/// The base of the REST API, without a slash at the end.
pub fn api(url: &Url) -> String {
    if url.host_str() == Some("github.com") {
        return "https://api.github.com".into();
    }
    format!("{}/api/v3", url.as_str().trim_end_matches('/'))
}

/// What it came from: "connection refused" says more than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
