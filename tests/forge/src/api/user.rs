//! The signed-in person: `/user` and what hangs below it.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Call, Reply,
    error::{ApiError, not_found},
    shapes,
};
use crate::{
    access,
    app::App,
    model::{Account, Permission},
    store::State,
};

pub(crate) async fn show(call: Call) -> Reply {
    let caller = call.person()?;
    let (id, mail) = (caller.person, caller.has("user:email"));
    let body = call.app.read(|state| state.account(id).map(|person| profile(&call.app, state, person, mail)));
    Ok(call.json(&body.ok_or_else(not_found)?))
}

/// `GET /users/{login}`
pub(crate) async fn find(call: Call) -> Reply {
    let body = call.app.read(|state| {
        state.account_named(call.parts.login.as_str()).map(|person| profile(&call.app, state, person, false))
    });
    Ok(call.json(&body.ok_or_else(not_found)?))
}

fn profile(app: &App, state: &State, person: &Account, mail: bool) -> Value {
    let mut body = shapes::account(app, person);
    let public = state.repositories.iter().filter(|r| r.owner == person.id && !r.private).count();
    let more = json!({
        "name": person.name,
        "company": null,
        "blog": "",
        "location": null,
        "email": mail.then_some(&person.email),
        "hireable": null,
        "bio": null,
        "twitter_username": null,
        "public_repos": public,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": person.created_at,
        "updated_at": person.created_at,
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

pub(crate) async fn emails(call: Call) -> Reply {
    let caller = call.person()?;
    if !caller.has("user:email") {
        return Err(not_found());
    }
    let email = call.app.read(|state| state.account(caller.person).map(|person| person.email.clone()));
    let entry = json!({ "email": email, "primary": true, "verified": true, "visibility": "public" });
    Ok(call.page(vec![entry]))
}

/// Repositories the person owns, was invited to, or reaches through an organisation.
pub(crate) async fn repositories(call: Call) -> Reply {
    let caller = call.person()?;
    let only = match (call.query("visibility"), call.query("type")) {
        (Some("public"), _) | (_, Some("public")) => Some(false),
        (Some("private"), _) | (_, Some("private")) => Some(true),
        _ => None,
    };
    let affiliation = call.query("affiliation").unwrap_or("owner,collaborator,organization_member");
    let items = call.app.read(|state| {
        let mut found = Vec::new();
        for repository in &state.repositories {
            let role = access::role(state, repository, caller.person);
            let kept_out = repository.private
                && (!caller.has("repo") || access::restricted_by(state, repository, Some(caller)).is_some());
            let how = if repository.owner == caller.person {
                "owner"
            } else if repository.collaborators.contains_key(&caller.person) {
                "collaborator"
            } else {
                "organization_member"
            };
            let wanted = only.is_none_or(|private| private == repository.private) && affiliation.contains(how);
            if role > Permission::None && !kept_out && wanted {
                found.push((repository, role));
            }
        }
        let sort = call.query("sort").unwrap_or("full_name");
        found.sort_by_key(|(repository, _)| match sort {
            "created" => repository.created_at.clone(),
            "updated" | "pushed" => repository.pushed_at.clone(),
            _ => state.full_name(repository).to_lowercase(),
        });
        let ascending = call.query("direction").map_or(sort == "full_name", |direction| direction == "asc");
        if !ascending {
            found.reverse();
        }
        found.into_iter().map(|(repository, role)| shapes::repository(&call.app, state, repository, role)).collect()
    });
    Ok(call.page(items))
}

/// Scopes that GitHub wants before it lists a person's organisations.
pub(crate) fn may_read_organizations(call: &Call, message: &str) -> Result<u64, ApiError> {
    let caller = call.person()?;
    if caller.has("read:org") || caller.has("user") {
        return Ok(caller.person);
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, message))
}
