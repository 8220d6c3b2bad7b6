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
use crate::policy::{self, Access, DeleteImage, MissRepository, Principal, PullImage, PushImage};
use crate::registry::repositories;
use actix_web::http::header;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::HashSet;

// A mount asks for two, and what copies a set of images for those of all. Each costs some questions to the database.
const MOST_SCOPES: usize = 100;

/// The scope of the list of repositories.
pub(super) const CATALOG: &str = "registry:catalog:*";

/// `GET /token?service=&scope=…` with Basic credentials or none.
pub async fn get(request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let pairs: Pairs = serde_urlencoded::from_str(request.query_string())
        .map_err(|e| Error::invalid(format!("the query cannot be read: {e}")))?;
    let scopes = all(&pairs, "scope").map(str::to_owned).collect();
    let (credential, principal) = match password(&request)? {
        Some(password) => of_password(&app, &request, &password).await?,
        None => (Credential::Anonymous, Principal::ANONYMOUS),
    };
    answer(&app, credential, &principal, scopes).await
}

/// Names and values; scopes come in one, or one in each.
type Pairs = Vec<(String, String)>;

fn all<'a>(pairs: &'a Pairs, name: &str) -> impl Iterator<Item = &'a str> {
    pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// `POST /token`, the `OAuth2` form with `grant_type=password`.
pub async fn post(request: HttpRequest, form: Form<Pairs>, app: Data<App>) -> Result<HttpResponse> {
    let kind = all(&form, "grant_type").next();
    let kind = kind.ok_or_else(|| Error::invalid("the form has no `grant_type`; it is `password` here"))?;
    if kind != "password" {
        return Err(Error::Unauthorized("only `grant_type=password` is taken; there are no refresh tokens".into()));
    }
    let password = all(&form, "password").next().unwrap_or_default();
    let (credential, principal) = of_password(&app, &request, password).await?;
    let scopes = all(&form, "scope").map(str::to_owned).collect();
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
    let mut known = HashSet::new();
    let scopes: Vec<&str> =
        scopes.iter().flat_map(|s| s.split_whitespace()).filter(|scope| known.insert(*scope)).collect();
    if scopes.len() > MOST_SCOPES {
        return Err(Error::invalid(format!(
            "{} scopes are asked for, and one token holds at most {MOST_SCOPES}: ask for several tokens",
            scopes.len()
        )));
    }
    let catalog = scopes.is_empty() || scopes.iter().any(|scope| is_of_catalog(scope));
    let mut access = Vec::new();
    for scope in scopes {
        if let Some(granted) = grant(app, principal, scope).await? {
            access.push(granted);
        }
    }
    let token = bearer::sign(app, credential, access, catalog)?;
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

fn is_of_catalog(scope: &str) -> bool {
    parts(scope, "registry").is_some_and(|(name, actions)| name == "catalog" && actions.split(',').any(|a| a == "*"))
}

/// Name and actions of `repository:NAME:ACTIONS`, or of another kind. A class in brackets, `repository(plugin)`, tells
/// what is stored there; it changes no right.
fn parts<'a>(scope: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let (found, rest) = scope.split_once(':')?;
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_class = |text: &str| {
        text.is_empty() || text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).is_some_and(is_word)
    };
    let is_kind = found.strip_prefix(kind).is_some_and(is_class);
    rest.rsplit_once(':').filter(|_| is_kind)
}

/// What of a scope policy allows; `None` for nothing. Unknown words grant nothing.
async fn grant(app: &App, principal: &Principal, scope: &str) -> Result<Option<Access>> {
    let Some((name, actions)) = parts(scope, "repository") else { return Ok(None) };
    let Ok(parsed) = name.parse::<RepositoryName>() else { return Ok(None) };
    let on = match repository_access(app, principal, &parsed).await? {
        Some(existing) => existing,
        None => match repositories::for_push(app, principal, &parsed).await {
            // A reserved word grants nothing; a database that is away is no answer at all.
            Err(Error::Registry { code: OciCode::NameInvalid, .. }) => return Ok(None),
            found => match found? {
                Some(absent) => absent,
                None => return Ok(None),
            },
        },
    };
    let wants = |action: &str| actions.split(',').any(|a| a == action || a == "*");
    // A repository that the push will make may be asked about by the same client before and right after: who would see
    // it is told that it is not there, in place of being asked for a password.
    let may_push = policy::may::<PushImage>(principal, &on);
    let may_pull =
        may_push || policy::may::<PullImage>(principal, &on) || policy::may::<MissRepository>(principal, &on);
    let may_delete = policy::may::<DeleteImage>(principal, &on);
    let granted: Vec<String> = [("pull", may_pull), ("push", may_push), ("delete", may_delete)]
        .into_iter()
        .filter(|(action, may)| *may && wants(action))
        .map(|(action, _)| action.to_owned())
        .collect();
    Ok((!granted.is_empty()).then(|| Access { name: name.to_owned(), actions: granted }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;
    use crate::policy::{Bound, Who};
    use crate::testing::{self, TestApp};
    use uuid::Uuid;

    #[test]
    fn the_scope_of_the_catalog_has_a_class_and_actions_as_others_have() {
        for scope in [CATALOG, "registry(x):catalog:*", "registry:catalog:pull,*"] {
            assert!(is_of_catalog(scope), "{scope}");
        }
        for scope in ["registry:catalog:pull", "registry:other:*", "repository:catalog:*", "registryx:catalog:*"] {
            assert!(!is_of_catalog(scope), "{scope}");
        }
    }

    #[test]
    fn a_scope_has_a_kind_with_or_without_a_class() {
        for scope in ["repository:mona/web:pull", "repository(plugin):mona/web:pull", "repository(a1):mona/web:pull"] {
            assert_eq!(parts(scope, "repository"), Some(("mona/web", "pull")), "{scope}");
        }
        for scope in [
            "repository():mona/web:pull",
            "repository(plugin:mona/web:pull",
            "repository(plugin)x:mona/web:pull",
            "repository(Plugin):mona/web:pull",
            "repository(a(b)):mona/web:pull",
            "repositoryplugin:mona/web:pull",
            "plugin(repository):mona/web:pull",
            "repository(plugin):mona/web",
        ] {
            assert_eq!(parts(scope, "repository"), None, "{scope}");
        }
    }

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
