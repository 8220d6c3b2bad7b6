//! Registry bearers: short signed tokens that hold a credential's id and an upper bound of access.
//!
//! A bearer gives nothing by itself: credential, build and role are looked up again with each request,
//! so what was revoked stops at once.

use crate::app::App;
use crate::error::{Error, Result};
use crate::policy::Access;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Seconds that a bearer lives.
pub const LIFETIME_SECS: i64 = 300;
const ISSUER: &str = "slipway";

/// Whose the bearer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Credential {
    Anonymous,
    /// A personal access token.
    Token(Uuid),
    /// An attempt of a build.
    Attempt(Uuid),
}

/// The claims, after RFC 7519 and distribution's token specification (`access`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    pub credential: Credential,
    pub access: Vec<Access>,
    /// Whether it lists more than `access` names.
    #[serde(default)]
    pub catalog: bool,
}

/// Signs a bearer for `LIFETIME_SECS` from now.
pub fn sign(app: &App, credential: Credential, access: Vec<Access>, catalog: bool) -> Result<String> {
    let now = app.clock.now() / 1_000;
    let claims = Claims {
        iss: ISSUER.into(),
        aud: app.config.public_host(),
        iat: now,
        exp: now + LIFETIME_SECS,
        credential,
        access,
        catalog,
    };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&app.bearer_key))
        .map_err(|e| Error::internal("signing a bearer", e))
}

/// The claims of a bearer that we signed and that has not ended. Its header chooses nothing: one key, one algorithm.
pub fn verify(app: &App, bearer: &str) -> Result<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[app.config.public_host()]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation.leeway = 0;
    jsonwebtoken::decode::<Claims>(bearer, &DecodingKey::from_secret(&app.bearer_key), &validation)
        .map(|data| data.claims)
        .map_err(|reason| {
            tracing::debug!("a bearer was refused: {reason}");
            Error::Unauthorized("the token is not valid or has ended".into())
        })
}
