//! Who calls: a builder, or an attempt of a build.

use crate::auth::address::client_address;
use crate::auth::extract::{app_of, bearer_of};
use crate::builds::{lease, queue::EMBEDDED};
use crate::db::rows;
use crate::error::{Error, Result};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use uuid::Uuid;

/// A builder with a good token.
pub(crate) struct BuilderCaller {
    is_embedded: bool,
}

impl BuilderCaller {
    /// What to call it: only the embedded builder gets that name, for its attempts die with this process.
    pub(super) fn name(&self, said: &str) -> String {
        if self.is_embedded {
            return EMBEDDED.to_owned();
        }
        let name: String = said.chars().filter(|c| !c.is_control()).take(100).collect();
        if name.is_empty() || name == EMBEDDED { format!("{name} (remote)").trim().to_owned() } else { name }
    }
}

impl FromRequest for BuilderCaller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(builder(request))
    }
}

fn builder(request: &HttpRequest) -> Result<BuilderCaller> {
    let app = app_of(request);
    let brought = bearer_of(request).unwrap_or_default();
    if same(brought, app.builder_token.reveal()) {
        return Ok(BuilderCaller { is_embedded: true });
    }
    if app.config.builder.tokens.iter().any(|token| same(brought, &token.0)) {
        return Ok(BuilderCaller { is_embedded: false });
    }
    app.limits.wrong_credential(client_address(&app, request))?;
    Err(Error::Unauthorized("the builder's token is not right: it is one of `builder.tokens` of the server".into()))
}

// Constant time: how much of a guess is right does not show in how long the answer takes.
fn same(a: &str, b: &str) -> bool {
    !b.is_empty() && aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

/// An attempt whose token was brought, and which the path names.
pub(crate) struct AttemptCaller {
    pub(super) attempt: rows::Attempt,
}

impl FromRequest for AttemptCaller {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self { attempt: attempt(&request, bearer_of(&request)).await? }) })
    }
}

/// The same for git, which may bring the token as the password of any user.
pub(crate) struct SourceCaller {
    pub(super) attempt: rows::Attempt,
}

impl FromRequest for SourceCaller {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let password = password_of(&request);
            let token = bearer_of(&request).or(password.as_deref());
            Ok(Self { attempt: attempt(&request, token).await? })
        })
    }
}

async fn attempt(request: &HttpRequest, token: Option<&str>) -> Result<rows::Attempt> {
    let app = app_of(request);
    let id: Option<Uuid> = request.match_info().query("attempt").parse().ok();
    let found = match (id, token) {
        (Some(id), Some(token)) => lease::attempt_of_token(&app, id, token).await,
        _ => Err(Error::Unauthorized("the token of this attempt is needed".into())),
    };
    if let Err(Error::Unauthorized(_)) = found {
        app.limits.wrong_credential(client_address(&app, request))?;
    }
    found
}

fn password_of(request: &HttpRequest) -> Option<String> {
    let (scheme, value) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = STANDARD.decode(value.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(password.to_owned())
}
