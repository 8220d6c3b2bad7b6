//! Commit statuses.

use actix_web::{HttpResponse, web::Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call, Need, Reply,
    commits::resolve,
    error::{invalid, not_found, unprocessable},
    refs::repository_api,
    shapes,
};
use crate::{
    app::App,
    model::{Status, now},
    store::State,
};

#[derive(Debug, Deserialize)]
pub(crate) struct NewStatus {
    state: String,
    target_url: Option<String>,
    description: Option<String>,
    context: Option<String>,
}

/// `POST …/statuses/{sha}`
pub(crate) async fn create(call: Call, new: Json<NewStatus>) -> Reply {
    let repository = call.repository(Need::WriteStatus)?;
    let creator = call.person()?.person;
    let new = new.into_inner();
    if !["error", "failure", "pending", "success"].contains(&new.state.as_str()) {
        return Err(invalid("Status", "state is not included in the list"));
    }
    if new.description.as_ref().is_some_and(|text| text.chars().count() > 140) {
        return Err(invalid("Status", "description is too long (maximum is 140 characters)"));
    }
    let sha = call.parts.sha.as_str().to_owned();
    if sha.len() != 40 || call.app.git(&repository).resolve(&sha).is_none() {
        return Err(unprocessable(&format!("No commit found for SHA: {sha}")));
    }
    let body = call.app.change(|state| {
        let status = Status {
            id: state.take_id(),
            sha,
            state: new.state,
            context: new.context.unwrap_or_else(|| "default".to_owned()),
            description: new.description,
            target_url: new.target_url,
            creator,
            created_at: now(),
        };
        let body = shape(&call.app, state, &repository_url(state, &call, repository.id), &status);
        state.repository_mut(repository.id)?.statuses.push(status);
        Some(body)
    });
    Ok(HttpResponse::Created().json(body.ok_or_else(not_found)?))
}

/// `GET …/commits/{ref}/statuses`, newest first
pub(crate) async fn list(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let sha = resolve(&call.app.git(&repository), &repository, call.parts.reference.as_str())?;
    let api = repository_api(&call);
    let items = call.app.read(|state| {
        let of_commit = repository.statuses.iter().rev().filter(|status| status.sha == sha);
        of_commit.map(|status| shape(&call.app, state, &api, status)).collect()
    });
    Ok(call.page(items))
}

/// `GET …/commits/{ref}/status`: the newest status of each context, and what they add up to
pub(crate) async fn combined(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let sha = resolve(&call.app.git(&repository), &repository, call.parts.reference.as_str())?;
    let api = repository_api(&call);
    let newest = newest(&repository.statuses, &sha);
    let body = call.app.read(|state| {
        let items: Vec<Value> = newest.iter().map(|status| shape(&call.app, state, &api, status)).collect();
        json!({
            "state": sum(&newest),
            "sha": sha,
            "total_count": items.len(),
            "statuses": items,
            "repository": shapes::repository(&call.app, state, &repository, crate::model::Permission::Pull),
            "commit_url": format!("{api}/commits/{sha}"),
            "url": format!("{api}/commits/{sha}/status"),
        })
    });
    Ok(call.json(&body))
}

/// The newest status of each context of a commit.
pub(crate) fn newest<'a>(statuses: &'a [Status], sha: &str) -> Vec<&'a Status> {
    let mut found: Vec<&Status> = Vec::new();
    for status in statuses.iter().rev().filter(|status| status.sha == sha) {
        if found.iter().all(|known| known.context != status.context) {
            found.push(status);
        }
    }
    found
}

fn sum(statuses: &[&Status]) -> &'static str {
    let any = |wanted: &[&str]| statuses.iter().any(|status| wanted.contains(&status.state.as_str()));
    if any(&["error", "failure"]) {
        "failure"
    } else if statuses.is_empty() || any(&["pending"]) {
        "pending"
    } else {
        "success"
    }
}

fn repository_url(state: &State, call: &Call, repository: u64) -> String {
    let name = state.repository(repository).map(|found| state.full_name(found)).unwrap_or_default();
    call.app.api(&format!("/repos/{name}"))
}

fn shape(app: &App, state: &State, api: &str, status: &Status) -> Value {
    json!({
        "url": format!("{api}/statuses/{}", status.sha),
        "avatar_url": app.url(&format!("/avatars/{}", status.creator)),
        "id": status.id,
        "node_id": shapes::node_id("Status", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": status.created_at,
        "updated_at": status.created_at,
        "creator": shapes::account_by_id(app, state, status.creator),
    })
}
