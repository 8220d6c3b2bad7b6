//! The token endpoint: a short signed bearer whose access list is what was asked and what policy allows.
//!
//! After distribution's "Token Authentication Specification"; `POST` is its `OAuth2` form, which containerd tries first.

use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::bearer::{self, Credential, LIFETIME_SECS};
use crate::auth::extract::repository_access;
use crate::auth::tokens;
use crate::error::{Error, OciCode, Result};
use crate::names::RepositoryName;
use crate::policy::{self, Access, DeleteImage, Principal, PullImage, PushImage};
use crate::registry::repositories;
use actix_web::http::header;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

// A mount asks for two; more is a mistake or an attack.
const MOST_SCOPES: usize = 16;

/// `GET /token?service=&scope=…` with Basic credentials or none.
pub async fn get(request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(request.query_string())
        .map_err(|e| Error::invalid(format!("the query cannot be read: {e}")))?;
    let scopes = pairs.into_iter().filter(|(k, _)| k == "scope").map(|(_, v)| v).collect();
    let (credential, principal) = match password(&request)? {
        Some(password) => of_password(&app, &request, &password).await?,
        None => (Credential::Anonymous, Principal::ANONYMOUS),
    };
    answer(&app, credential, &principal, scopes).await
}

#[derive(Deserialize)]
pub struct Grant {
    #[serde(rename = "grant_type")]
    kind: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    password: String,
}

/// `POST /token`, the `OAuth2` form with `grant_type=password`.
pub async fn post(request: HttpRequest, form: Form<Grant>, app: Data<App>) -> Result<HttpResponse> {
    if form.kind != "password" {
        return Err(Error::Unauthorized("only `grant_type=password` is taken; there are no refresh tokens".into()));
    }
    let (credential, principal) = of_password(&app, &request, &form.password).await?;
    let scopes = form.scope.split_whitespace().map(str::to_owned).collect();
    answer(&app, credential, &principal, scopes).await
}

/// The password of Basic credentials: a token of ours. The user name is not asked.
fn password(request: &HttpRequest) -> Result<Option<String>> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let wrong = || Error::Unauthorized("use Basic credentials whose password is a token of /settings/tokens".into());
    let (scheme, text) = value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(wrong());
    }
    let bytes = STANDARD.decode(text.trim()).map_err(|_not_base64| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_not_text| wrong())?;
    let (_user, password) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Some(password.to_owned()))
}

async fn of_password(app: &App, request: &HttpRequest, password: &str) -> Result<(Credential, Principal)> {
    let address = client_address(app, request);
    if password.starts_with(tokens::ATTEMPT) {
        let (id, principal) = tokens::find_attempt(app, password, address).await?;
        return Ok((Credential::Attempt(id), principal));
    }
    let token = tokens::find_personal(app, password, address).await?;
    let principal = tokens::principal_of_token(app, token.id).await?;
    Ok((Credential::Token(token.id), principal))
}

async fn answer(app: &App, credential: Credential, principal: &Principal, scopes: Vec<String>) -> Result<HttpResponse> {
    let mut access = Vec::new();
    for scope in scopes.iter().flat_map(|s| s.split_whitespace()).take(MOST_SCOPES) {
        if let Some(granted) = grant(app, principal, scope).await? {
            access.push(granted);
        }
    }
    let token = bearer::sign(app, credential, access)?;
    let issued_at = time::OffsetDateTime::from_unix_timestamp(app.clock.now() / 1_000)
        .ok()
        .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok());
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({
        "token": token,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECS,
        "issued_at": issued_at,
    })))
}

/// What of `repository:NAME:ACTIONS` policy allows; `None` for nothing. Unknown words grant nothing.
async fn grant(app: &App, principal: &Principal, scope: &str) -> Result<Option<Access>> {
    let Some((name, actions)) = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':')) else {
        return Ok(None);
    };
    let Ok(parsed) = name.parse::<RepositoryName>() else { return Ok(None) };
    let wants = |action: &str| actions.split(',').any(|a| a == action || a == "*");
    let mut granted = Vec::new();
    let existing = repository_access(app, principal, &parsed).await?;
    let pushable = match &existing {
        None if wants("push") => match repositories::for_push(app, principal, &parsed).await {
            // A reserved word grants nothing; a database that is away is no answer at all.
            Err(Error::Registry { code: OciCode::NameInvalid, .. }) => None,
            found => found?,
        },
        other => other.clone(),
    };
    // A repository that the push will make may be asked about by the same client right after.
    let may_push = pushable.as_ref().is_some_and(|on| policy::may::<PushImage>(principal, on));
    if wants("pull") && (may_push || existing.as_ref().is_some_and(|on| policy::may::<PullImage>(principal, on))) {
        granted.push("pull".to_owned());
    }
    if wants("push") && may_push {
        granted.push("push".to_owned());
    }
    if wants("delete") && existing.as_ref().is_some_and(|on| policy::may::<DeleteImage>(principal, on)) {
        granted.push("delete".to_owned());
    }
    Ok((!granted.is_empty()).then(|| Access { name: name.to_owned(), actions: granted }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;
    use crate::policy::{Bound, Who};
    use crate::testing::{self, TestApp};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_database_that_is_away_takes_no_right() {
        let app = TestApp::start().await;
        let tx = app.db.begin().await.unwrap();
        let row = testing::namespace("mona");
        db::namespaces::insert(&tx, row).await.unwrap();
        db::repositories::lose_roles(&tx).await;
        tx.commit().await.unwrap();
        let who = Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false };
        let principal = Principal { who, bound: Bound::None };
        assert!(matches!(grant(&app, &principal, "repository:new/hello:push").await, Ok(None)));
        assert!(matches!(grant(&app, &principal, "repository:mona/hello:push").await, Err(Error::Internal { .. })));
    }
}
