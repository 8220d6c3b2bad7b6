//! Sending events to hooks, signed, and remembering how it went.

pub(crate) mod payload;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::{
    api,
    app::App,
    model::{Delivery, Hook, LastResponse, now},
};

/// GitHub waits ten seconds for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// More of an answer is not kept.
const ANSWER_KEPT: usize = 16 * 1024;

/// Sends an event to all hooks of a repository that want it.
pub(crate) fn emit(app: &Arc<App>, repository: u64, event: &str, body: &Value) {
    let wants = |hook: &&Hook| hook.active && hook.events.iter().any(|name| name == event || name == "*");
    let hooks: Vec<Hook> = app.read(|state| {
        let found = state.repository(repository);
        found.map_or_else(Vec::new, |found| found.hooks.iter().filter(wants).cloned().collect())
    });
    for hook in hooks {
        let parcel = Parcel { repository, event: event.to_owned(), guid: new_guid(), redelivery: false };
        start(app, parcel, hook, body.to_string());
    }
}

/// Sends the `ping` that GitHub sends to a new hook.
pub(crate) fn ping(app: &Arc<App>, repository: u64, hook: u64) {
    let ready = app.read(|state| {
        let found = state.repository(repository)?;
        let hook = found.hooks.iter().find(|candidate| candidate.id == hook)?;
        let body = json!({
            "zen": "Keep it logically awesome.",
            "hook_id": hook.id,
            "hook": api::hooks::shape(app, state, found, hook),
            "repository": payload::repository(app, state, found),
            "sender": api::shapes::account_by_id(app, state, found.owner),
        });
        Some((hook.clone(), body.to_string()))
    });
    if let Some((hook, body)) = ready {
        let parcel = Parcel { repository, event: "ping".to_owned(), guid: new_guid(), redelivery: false };
        start(app, parcel, hook, body);
    }
}

/// Sends the same body again, under the same GUID, as GitHub does.
pub(crate) fn redeliver(app: &Arc<App>, old: &Delivery) {
    let hook = app.read(|state| {
        let hooks = &state.repository(old.repository_id)?.hooks;
        hooks.iter().find(|hook| hook.id == old.hook_id).cloned()
    });
    if let Some(hook) = hook {
        let (event, guid) = (old.event.clone(), old.guid.clone());
        let parcel = Parcel { repository: old.repository_id, event, guid, redelivery: true };
        start(app, parcel, hook, old.payload.clone());
    }
}

struct Parcel {
    repository: u64,
    event: String,
    guid: String,
    redelivery: bool,
}

fn new_guid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Sends in the background: a push does not wait for those who listen.
fn start(app: &Arc<App>, parcel: Parcel, hook: Hook, payload: String) {
    app.deliveries_under_way.fetch_add(1, Ordering::SeqCst);
    let app = Arc::clone(app);
    app.runtime.clone().spawn(async move {
        let delivery = send(&app, parcel, &hook, payload).await;
        tracing::info!("{} to {}: {}", delivery.event, delivery.url, delivery.status);
        app.change(|state| {
            if let Some(hook) = state.hook_mut(delivery.repository_id, delivery.hook_id) {
                let answered = delivery.status_code > 0;
                hook.last_response = LastResponse {
                    code: answered.then_some(delivery.status_code),
                    status: if delivery.status == "OK" { "active" } else { "error" }.to_owned(),
                    message: Some(delivery.status.clone()),
                };
            }
            let id = state.take_id();
            state.add_delivery(Delivery { id, ..delivery });
        });
        app.deliveries_under_way.fetch_sub(1, Ordering::SeqCst);
    });
}

async fn send(app: &App, parcel: Parcel, hook: &Hook, payload: String) -> Delivery {
    let form = hook.content_type == "form";
    let body = if form {
        serde_urlencoded::to_string([("payload", &payload)]).expect("text has a form encoding")
    } else {
        payload.clone()
    };
    let request_headers = headers(&parcel, hook, &body, form);
    let mut request = app.http.post(&hook.url).timeout(PATIENCE).body(body);
    for (name, value) in &request_headers {
        request = request.header(name, value);
    }
    let mut delivery = Delivery {
        id: 0,
        guid: parcel.guid,
        hook_id: hook.id,
        repository_id: parcel.repository,
        event: parcel.event,
        url: hook.url.clone(),
        delivered_at: now(),
        redelivery: parcel.redelivery,
        duration: 0.0,
        status: String::new(),
        status_code: 0,
        request_headers,
        payload,
        response_headers: BTreeMap::new(),
        response_body: String::new(),
    };
    let start = Instant::now();
    match request.send().await {
        Ok(response) => {
            delivery.status_code = response.status().as_u16();
            let text = response.status().canonical_reason().unwrap_or_default();
            let good = response.status().is_success();
            delivery.status =
                if good { "OK".to_owned() } else { format!("Invalid HTTP Response: {}", delivery.status_code) };
            tracing::debug!("the hook answered {} {text}", delivery.status_code);
            for (name, value) in response.headers() {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                delivery.response_headers.insert(name.to_string(), value);
            }
            let bytes = response.bytes().await.unwrap_or_default();
            let kept = &bytes[..bytes.len().min(ANSWER_KEPT)];
            delivery.response_body = String::from_utf8_lossy(kept).into_owned();
        }
        Err(error) => delivery.status = describe(&error),
    }
    delivery.duration = (start.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    delivery
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "timed out".to_owned()
    } else if error.is_connect() {
        "failed to connect to host".to_owned()
    } else {
        error.to_string()
    }
}

fn headers(parcel: &Parcel, hook: &Hook, body: &str, form: bool) -> BTreeMap<String, String> {
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let mut headers = vec![
        ("Accept", "*/*".to_owned()),
        ("Content-Type", kind.to_owned()),
        ("User-Agent", "GitHub-Hookshot/51a7b02".to_owned()),
        ("X-GitHub-Event", parcel.event.clone()),
        ("X-GitHub-Delivery", parcel.guid.clone()),
        ("X-GitHub-Hook-ID", hook.id.to_string()),
        ("X-GitHub-Hook-Installation-Target-ID", parcel.repository.to_string()),
        ("X-GitHub-Hook-Installation-Target-Type", "repository".to_owned()),
    ];
    if let Some(secret) = &hook.secret {
        let sign = |algorithm| {
            let key = hmac::Key::new(algorithm, secret.as_bytes());
            hex::encode(hmac::sign(&key, body.as_bytes()))
        };
        headers.push(("X-Hub-Signature", format!("sha1={}", sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY))));
        headers.push(("X-Hub-Signature-256", format!("sha256={}", sign(hmac::HMAC_SHA256))));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
