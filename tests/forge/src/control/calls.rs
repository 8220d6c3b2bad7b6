//! What the control calls do.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_web::{
    HttpResponse,
    web::{Data, Json, Path},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{
        Reply,
        error::{ApiError, not_found, unprocessable},
    },
    app::{App, lock},
    faults::FaultKind,
    handle::{Repo, create_repository},
    oauth, webhooks,
};

type Forge = Data<App>;

fn done() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "done": true }))
}

pub(crate) async fn requests(app: Forge) -> Reply {
    Ok(HttpResponse::Ok().json(&*lock(&app.faults.requests)))
}

pub(crate) async fn deliveries(app: Forge) -> Reply {
    let under_way = app.deliveries_under_way.load(Ordering::SeqCst);
    let sent = app.read(|state| state.deliveries.clone());
    Ok(HttpResponse::Ok().json(json!({ "under_way": under_way, "deliveries": sent })))
}

pub(crate) async fn redeliver(app: Forge, id: Path<u64>) -> Reply {
    let found = app.read(|state| state.deliveries.iter().find(|delivery| delivery.id == *id).cloned());
    webhooks::redeliver(&app.into_inner(), &found.ok_or_else(not_found)?);
    Ok(done())
}

/// `{"count": 2, "status": 500}`, or `{"silence_ms": 30000}`; `path` narrows it.
#[derive(Debug, Deserialize)]
pub(crate) struct NewFault {
    count: Option<u32>,
    status: Option<u16>,
    silence_ms: Option<u64>,
    path: Option<String>,
}

pub(crate) async fn plan_fault(app: Forge, new: Json<NewFault>) -> Reply {
    let kind = match (new.status, new.silence_ms) {
        (Some(status), _) => FaultKind::Status(status),
        (None, Some(time)) => FaultKind::Silence(Duration::from_millis(time)),
        (None, None) => return Err(unprocessable("give `status` or `silence_ms`")),
    };
    app.faults.plan(new.path.as_deref().unwrap_or("/api/v3/"), new.count.unwrap_or(1), kind);
    Ok(done())
}

pub(crate) async fn heal(app: Forge) -> Reply {
    lock(&app.faults.planned).clear();
    app.faults.down.store(false, Ordering::Relaxed);
    Ok(done())
}

/// `{"on": true}`
#[derive(Debug, Deserialize)]
pub(crate) struct Switch {
    on: bool,
}

pub(crate) async fn set_down(app: Forge, switch: Json<Switch>) -> Reply {
    app.faults.down.store(switch.on, Ordering::Relaxed);
    Ok(done())
}

pub(crate) async fn refuse_hooks(app: Forge, switch: Json<Switch>) -> Reply {
    app.refuse_local_hooks.store(switch.on, Ordering::Relaxed);
    Ok(done())
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewAccount {
    login: String,
    /// The person who owns the organisation.
    owner: Option<String>,
}

pub(crate) async fn add_person(app: Forge, new: Json<NewAccount>) -> Reply {
    let account = app.change(|state| {
        let known = state.account_named(&new.login).cloned();
        known.unwrap_or_else(|| state.add_account(&new.login, false).clone())
    });
    Ok(HttpResponse::Created().json(account))
}

pub(crate) async fn add_organization(app: Forge, new: Json<NewAccount>) -> Reply {
    let account = app.change(|state| {
        let owner = state.account_named(new.owner.as_deref()?)?.id;
        let account = state.add_account(&new.login, true);
        account.members.insert(owner, true);
        Some(account.clone())
    });
    Ok(HttpResponse::Created().json(account.ok_or_else(not_found)?))
}

pub(crate) async fn restrict(app: Forge, login: Path<String>, switch: Json<Switch>) -> Reply {
    app.change(|state| {
        let found = state.accounts.iter_mut().find(|account| account.organization && account.login == *login);
        found.map(|account| account.restricts_apps = switch.on)
    })
    .ok_or_else(not_found)?;
    Ok(done())
}

pub(crate) async fn want_sign_on(app: Forge, login: Path<String>, switch: Json<Switch>) -> Reply {
    app.change(|state| {
        let found = state.accounts.iter_mut().find(|account| account.organization && account.login == *login);
        found.map(|account| account.wants_sign_on = switch.on)
    })
    .ok_or_else(not_found)?;
    Ok(done())
}

pub(crate) async fn remove_member(app: Forge, path: Path<(String, String)>) -> Reply {
    app.change(|state| {
        let person = state.account_named(&path.1)?.id;
        let found = state.accounts.iter_mut().find(|account| account.organization && account.login == path.0);
        found.and_then(|account| account.members.remove(&person))
    })
    .ok_or_else(not_found)?;
    Ok(done())
}

pub(crate) async fn revoke(app: Forge, login: Path<String>) -> Reply {
    let count = app.change(|state| {
        let person = state.account_named(&login)?.id;
        Some(state.revoke(person, None))
    });
    Ok(HttpResponse::Ok().json(json!({ "revoked": count.ok_or_else(not_found)? })))
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewToken {
    scopes: Vec<String>,
}

pub(crate) async fn issue_token(app: Forge, login: Path<String>, new: Json<NewToken>) -> Reply {
    let person = app.read(|state| state.account_named(&login).map(|person| person.id)).ok_or_else(not_found)?;
    let client = app.read(|state| state.apps.last().map(|app| app.client_id.clone())).unwrap_or_default();
    let token = oauth::token::issue(&app, person, &client, new.scopes.clone());
    Ok(HttpResponse::Created().json(json!({ "token": token.value })))
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewRepository {
    owner: String,
    name: String,
    #[serde(default)]
    private: bool,
}

pub(crate) async fn add_repository(app: Forge, new: Json<NewRepository>) -> Reply {
    if app.read(|state| state.repository_named(&new.owner, &new.name).is_some()) {
        return Err(unprocessable("a repository of that name exists"));
    }
    let id = create_repository(&app, &new.owner, &new.name, new.private)?;
    Ok(HttpResponse::Created().json(json!({ "id": id })))
}

/// Everything about it: statuses and hooks too.
pub(crate) async fn show_repository(app: Forge, path: Path<(String, String)>) -> Reply {
    let found = app.read(|state| state.repository_named(&path.0, &path.1).cloned());
    Ok(HttpResponse::Ok().json(found.ok_or_else(not_found)?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct RepositoryChange {
    name: Option<String>,
    private: Option<bool>,
}

pub(crate) async fn change_repository(
    app: Forge,
    path: Path<(String, String)>,
    change: Json<RepositoryChange>,
) -> Reply {
    let repo = find(app, &path)?;
    if let Some(name) = &change.name {
        repo.rename(name);
    }
    if let Some(private) = change.private {
        repo.set_private(private);
    }
    Ok(done())
}

pub(crate) async fn delete_repository(app: Forge, path: Path<(String, String)>) -> Reply {
    find(app, &path)?.delete();
    Ok(done())
}

/// `{"branch": "main", "files": {"Dockerfile": "FROM scratch"}, "message": "…", "quiet": false}`
#[derive(Debug, Deserialize)]
pub(crate) struct NewCommit {
    branch: Option<String>,
    files: BTreeMap<String, String>,
    message: Option<String>,
    #[serde(default)]
    quiet: bool,
}

pub(crate) async fn commit(app: Forge, path: Path<(String, String)>, new: Json<NewCommit>) -> Reply {
    let repo = find(app, &path)?;
    let mut change = repo.change(new.branch.as_deref().unwrap_or("main"));
    for (file, text) in &new.files {
        change = change.file(file, text);
    }
    if new.quiet {
        change = change.quietly();
    }
    let sha = change.commit(new.message.as_deref().unwrap_or("Change files"));
    Ok(HttpResponse::Created().json(json!({ "sha": sha })))
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewTags {
    names: Vec<String>,
    at: Option<String>,
}

pub(crate) async fn tag(app: Forge, path: Path<(String, String)>, new: Json<NewTags>) -> Reply {
    let repo = find(app, &path)?;
    let at = repo.git().resolve(new.at.as_deref().unwrap_or("main")).ok_or_else(not_found)?;
    let names: Vec<&str> = new.names.iter().map(String::as_str).collect();
    repo.tags(&names, &at);
    Ok(done())
}

fn find(app: Forge, path: &(String, String)) -> Result<Repo, ApiError> {
    let id = app.read(|state| state.repository_named(&path.0, &path.1).map(|found| found.id));
    Ok(Repo { app: Arc::clone(&app.into_inner()), id: id.ok_or_else(not_found)? })
}
