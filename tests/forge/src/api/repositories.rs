//! One repository, and answers about the forge itself.

use actix_web::http::StatusCode;
use serde_json::json;

use super::{Call, Need, Reply, shapes};
use crate::{access, app::App};

/// `GET /repos/{owner}/{repo}` and `GET /repositories/{id}`
pub(crate) async fn show(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let body = call.app.read(|state| {
        let permission = access::permission(state, &repository, call.caller.as_ref());
        let mut body = shapes::repository(&call.app, state, &repository, permission);
        body["network_count"] = json!(0);
        body["subscribers_count"] = json!(0);
        body
    });
    Ok(call.json(&body))
}

/// `GET /meta`, which tells Enterprise apart from github.com
pub(crate) async fn meta(call: Call) -> Reply {
    Ok(call.json(&json!({ "verifiable_password_authentication": true, "installed_version": "3.15.0" })))
}

pub(crate) async fn rate_limit(call: Call) -> Reply {
    let rate = json!({ "limit": 5000, "used": 0, "remaining": 5000, "reset": 4_102_444_800_u64 });
    Ok(call.json(&json!({ "resources": { "core": rate, "search": rate }, "rate": rate })))
}

/// `GET /api/v3`
pub(crate) async fn root(call: Call) -> Reply {
    let app: &App = &call.app;
    Ok(call.json(&json!({
        "current_user_url": app.api("/user"),
        "repository_url": app.api("/repos/{owner}/{repo}"),
        "user_repositories_url": app.api("/users/{user}/repos{?type,page,per_page,sort}"),
    })))
}

pub(crate) async fn unknown() -> Reply {
    Err(super::error::ApiError::new(StatusCode::NOT_FOUND, "Not Found"))
}
