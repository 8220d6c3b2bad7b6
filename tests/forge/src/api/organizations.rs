//! Organisations and memberships in them.
//!
//! An organisation that has not approved the app is left out of lists, and asked for by
//! name its membership is refused with the reason.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

use super::{
    Call, Reply,
    error::{ApiError, not_found},
    shapes,
    user::may_read_organizations,
};
use crate::{
    access,
    app::App,
    model::{Account, Permission},
};

pub(super) const NEEDS_SCOPE: &str = "You need at least read:org scope or user scope to list your organizations.";

/// `GET /user/orgs`
pub(crate) async fn mine(call: Call) -> Reply {
    let person = may_read_organizations(&call, NEEDS_SCOPE)?;
    let items = call.app.read(|state| {
        let mine = state.accounts.iter().filter(|account| account.members.contains_key(&person));
        mine.filter(|org| !hidden(&call, org)).map(|org| shape(&call.app, org)).collect()
    });
    Ok(partial(&call, call.page(items)))
}

/// `GET /user/memberships/orgs`
pub(crate) async fn memberships(call: Call) -> Reply {
    let person = may_read_organizations(&call, NEEDS_SCOPE)?;
    if call.query("state") == Some("pending") {
        return Ok(call.page(Vec::new()));
    }
    let items = call.app.read(|state| {
        let orgs = state.accounts.iter().filter(|account| !hidden(&call, account));
        let Some(me) = state.account(person) else {
            return Vec::new();
        };
        orgs.filter_map(|org| membership(&call.app, org, me)).collect()
    });
    Ok(partial(&call, call.page(items)))
}

/// `GET /user/memberships/orgs/{org}`
pub(crate) async fn my_membership(call: Call) -> Reply {
    let person = may_read_organizations(&call, NEEDS_SCOPE)?;
    let body = call.app.read(|state| {
        let org = state.account_named(call.parts.org.as_str()).ok_or_else(not_found)?;
        let_in(&call, org)?;
        let me = state.account(person).ok_or_else(not_found)?;
        membership(&call.app, org, me).ok_or_else(not_found)
    })?;
    Ok(call.json(&body))
}

/// `GET /orgs/{org}`
pub(crate) async fn show(call: Call) -> Reply {
    let body = call.app.read(|state| {
        let found = state.account_named(call.parts.org.as_str()).filter(|account| account.organization)?;
        let mut body = shape(&call.app, found);
        let public = state.repositories.iter().filter(|r| r.owner == found.id && !r.private).count();
        body["name"] = json!(found.name);
        body["type"] = json!("Organization");
        body["html_url"] = json!(call.app.url(&format!("/{}", found.login)));
        body["public_repos"] = json!(public);
        body["created_at"] = json!(found.created_at);
        Some(body)
    });
    Ok(call.json(&body.ok_or_else(not_found)?))
}

/// `GET /orgs/{login}/repos` and `GET /users/{login}/repos`
pub(crate) async fn repositories(call: Call) -> Reply {
    let items = call.app.read(|state| {
        let owner = state.account_named(call.parts.login.as_str()).ok_or_else(not_found)?.id;
        let caller = call.caller.as_ref();
        let mut items = Vec::new();
        for repository in state.repositories.iter().filter(|repository| repository.owner == owner) {
            let permission = access::permission(state, repository, caller);
            let kept_out = repository.private && access::restricted_by(state, repository, caller).is_some();
            if permission > Permission::None && !kept_out {
                items.push(shapes::repository(&call.app, state, repository, permission));
            }
        }
        Ok::<_, ApiError>(items)
    })?;
    Ok(call.page(items))
}

fn hidden(call: &Call, organization: &Account) -> bool {
    let closed = organization.restricts_apps || organization.wants_sign_on;
    closed && call.caller.as_ref().is_some_and(|caller| caller.token.is_some())
}

/// Refuses tokens that an organisation has not approved, or that did not pass its single sign-on.
pub(super) fn let_in(call: &Call, organization: &Account) -> Result<(), ApiError> {
    if !hidden(call, organization) {
        return Ok(());
    }
    if organization.restricts_apps {
        return Err(ApiError::new(StatusCode::FORBIDDEN, &access::restriction_message(&organization.login)));
    }
    let message = "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this \
                   organization.";
    let url = call.app.url(&format!("/orgs/{}/sso", organization.login));
    let mut refusal = ApiError::new(StatusCode::FORBIDDEN, message);
    refusal.sign_on = Some(format!("required; url={url}"));
    Err(refusal)
}

/// Says in a list's header that organisations behind a sign-on are left out.
fn partial(call: &Call, mut answer: HttpResponse) -> HttpResponse {
    let left_out = call.app.read(|state| {
        let mine = call.caller.as_ref().map(|caller| caller.person).unwrap_or_default();
        let closed = state.accounts.iter().filter(|org| org.wants_sign_on && org.members.contains_key(&mine));
        closed.map(|org| org.id.to_string()).collect::<Vec<_>>().join(",")
    });
    if let (false, Ok(value)) = (left_out.is_empty(), format!("partial-results; organizations={left_out}").parse()) {
        let name = actix_web::http::header::HeaderName::from_static("x-github-sso");
        answer.headers_mut().insert(name, value);
    }
    answer
}

pub(super) fn membership(app: &App, organization: &Account, person: &Account) -> Option<Value> {
    let owner = organization.members.get(&person.id)?;
    let url = app.api(&format!("/orgs/{}", organization.login));
    Some(json!({
        "url": format!("{url}/memberships/{}", person.login),
        "state": "active",
        "role": if *owner { "admin" } else { "member" },
        "organization_url": url,
        "organization": shape(app, organization),
        "user": shapes::account(app, person),
    }))
}

fn shape(app: &App, organization: &Account) -> Value {
    let url = app.api(&format!("/orgs/{}", organization.login));
    json!({
        "login": organization.login,
        "id": organization.id,
        "node_id": shapes::node_id("Organization", organization.id),
        "url": url,
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events"),
        "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"),
        "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": app.url(&format!("/avatars/{}", organization.id)),
        "description": "",
    })
}
