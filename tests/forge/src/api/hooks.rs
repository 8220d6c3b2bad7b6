//! Webhooks of a repository: list, create, change, delete, ping.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web::Json};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::{
    Call, Need, Reply,
    error::{ApiError, invalid, not_found},
};
use crate::{
    app::App,
    model::{Hook, LastResponse, Repository, now},
    store::State,
    webhooks,
};

/// GitHub's limit for one event.
const HOOKS_AT_MOST: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HookInput {
    name: Option<String>,
    active: Option<bool>,
    events: Option<Vec<String>>,
    add_events: Vec<String>,
    remove_events: Vec<String>,
    config: Option<ConfigInput>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigInput {
    url: Option<String>,
    content_type: Option<String>,
    secret: Option<String>,
    /// GitHub takes text and numbers.
    insecure_ssl: Option<Value>,
}

pub(crate) async fn list(call: Call) -> Reply {
    let repository = call.repository(Need::Hooks)?;
    let items =
        call.app.read(|state| repository.hooks.iter().map(|hook| shape(&call.app, state, &repository, hook)).collect());
    Ok(call.page(items))
}

pub(crate) async fn show(call: Call) -> Reply {
    let (repository, hook) = find(&call)?;
    Ok(call.json(&call.app.read(|state| shape(&call.app, state, &repository, &hook))))
}

/// `POST …/hooks`; GitHub pings a new hook at once.
pub(crate) async fn create(call: Call, input: Json<HookInput>) -> Reply {
    let repository = call.repository(Need::Hooks)?;
    let input = input.into_inner();
    if input.name.as_deref().is_some_and(|name| name != "web") {
        return Err(invalid("Hook", "name is invalid: only `web` is supported"));
    }
    let mut hook = Hook {
        id: 0,
        active: input.active.unwrap_or(true),
        events: input.events.unwrap_or_else(|| vec!["push".to_owned()]),
        url: String::new(),
        content_type: "form".to_owned(),
        secret: None,
        insecure_ssl: "0".to_owned(),
        last_response: LastResponse { code: None, status: "unused".to_owned(), message: None },
        created_at: now(),
        updated_at: now(),
    };
    configure(&call.app, &mut hook, input.config.unwrap_or_default())?;
    if repository.hooks.iter().any(|known| known.url == hook.url && known.events == hook.events) {
        return Err(invalid("Hook", "Hook already exists on this repository"));
    }
    if repository.hooks.len() >= HOOKS_AT_MOST {
        return Err(invalid("Hook", "The \"push\" event cannot have more than 20 hooks"));
    }
    let body = call.app.change(|state| {
        hook.id = state.take_id();
        state.repository_mut(repository.id)?.hooks.push(hook.clone());
        Some(shape(&call.app, state, &repository, &hook))
    });
    let body = body.ok_or_else(not_found)?;
    if hook.active {
        webhooks::ping(&call.app.clone().into_inner(), repository.id, hook.id);
    }
    let location = body["url"].as_str().unwrap_or_default().to_owned();
    Ok(HttpResponse::Created().insert_header(("location", location)).json(body))
}

pub(crate) async fn update(call: Call, input: Json<HookInput>) -> Reply {
    let (repository, mut hook) = find(&call)?;
    let input = input.into_inner();
    hook.active = input.active.unwrap_or(hook.active);
    hook.events = input.events.unwrap_or(hook.events);
    hook.events.extend(input.add_events);
    hook.events.retain(|event| !input.remove_events.contains(event));
    if let Some(config) = input.config {
        // A config without secret removes the secret: GitHub replaces it as a whole.
        hook.secret = None;
        configure(&call.app, &mut hook, config)?;
    }
    save(&call, &repository, &hook)?;
    Ok(call.json(&call.app.read(|state| shape(&call.app, state, &repository, &hook))))
}

pub(crate) async fn show_config(call: Call) -> Reply {
    let (_, hook) = find(&call)?;
    Ok(call.json(&config(&hook)))
}

/// `PATCH …/hooks/{hook}/config` changes only what is given.
pub(crate) async fn update_config(call: Call, input: Json<ConfigInput>) -> Reply {
    let (repository, mut hook) = find(&call)?;
    configure(&call.app, &mut hook, input.into_inner())?;
    save(&call, &repository, &hook)?;
    Ok(call.json(&config(&hook)))
}

pub(crate) async fn delete(call: Call) -> Reply {
    let (repository, hook) = find(&call)?;
    call.app.change(|state| {
        if let Some(repository) = state.repository_mut(repository.id) {
            repository.hooks.retain(|known| known.id != hook.id);
        }
    });
    Ok(HttpResponse::NoContent().finish())
}

pub(crate) async fn ping(call: Call) -> Reply {
    let (repository, hook) = find(&call)?;
    webhooks::ping(&call.app.clone().into_inner(), repository.id, hook.id);
    Ok(HttpResponse::NoContent().finish())
}

/// The repository and hook of the path.
pub(crate) fn find(call: &Call) -> Result<(Repository, Hook), ApiError> {
    let repository = call.repository(Need::Hooks)?;
    let id: u64 = call.parts.hook.parse().unwrap_or_default();
    let hook = repository.hooks.iter().find(|hook| hook.id == id).cloned().ok_or_else(not_found)?;
    Ok((repository, hook))
}

fn save(call: &Call, repository: &Repository, hook: &Hook) -> Result<(), ApiError> {
    let changed = Hook { updated_at: now(), ..hook.clone() };
    let change = |state: &mut State| {
        *state.hook_mut(repository.id, hook.id)? = changed;
        Some(())
    };
    call.app.change(change).ok_or_else(not_found)
}

fn configure(app: &App, hook: &mut Hook, config: ConfigInput) -> Result<(), ApiError> {
    if let Some(url) = config.url {
        hook.url = url;
    }
    if hook.url.is_empty() {
        return Err(invalid("Hook", "url cannot be blank"));
    }
    check_address(&hook.url, app.refuse_local_hooks.load(Ordering::Relaxed))?;
    if let Some(secret) = config.secret {
        hook.secret = (!secret.is_empty()).then_some(secret);
    }
    match config.content_type.as_deref() {
        None => {}
        Some(kind @ ("json" | "form")) => kind.clone_into(&mut hook.content_type),
        Some(_) => return Err(invalid("Hook", "content_type must be `json` or `form`")),
    }
    if let Some(insecure) = config.insecure_ssl {
        insecure.to_string().trim_matches('"').clone_into(&mut hook.insecure_ssl);
    }
    Ok(())
}

fn check_address(text: &str, refuse_local: bool) -> Result<(), ApiError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(host) = url.as_ref().and_then(Url::host) else {
        return Err(invalid("Hook", "url is not a valid URL"));
    };
    let local = match host {
        Host::Domain(name) => {
            let last = name.trim_end_matches('.').rsplit('.').next();
            !name.contains('.') || matches!(last, Some("localhost" | "local"))
        }
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        Host::Ipv6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
    };
    if local && refuse_local {
        let message = format!("url is not supported because it isn't reachable over the public Internet ({host})");
        return Err(invalid("Hook", &message));
    }
    Ok(())
}

/// A hook as the API and the ping event write it. The secret is never shown.
pub(crate) fn shape(app: &App, state: &State, repository: &Repository, hook: &Hook) -> Value {
    let url = app.api(&format!("/repos/{}/hooks/{}", state.full_name(repository), hook.id));
    json!({
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": hook.events,
        "config": config(hook),
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
        "url": url,
        "test_url": format!("{url}/test"),
        "ping_url": format!("{url}/pings"),
        "deliveries_url": format!("{url}/deliveries"),
        "last_response": hook.last_response,
    })
}

fn config(hook: &Hook) -> Value {
    let mut config = json!({
        "url": hook.url,
        "content_type": hook.content_type,
        "insecure_ssl": hook.insecure_ssl,
    });
    if hook.secret.is_some() {
        config["secret"] = json!("********");
    }
    config
}
