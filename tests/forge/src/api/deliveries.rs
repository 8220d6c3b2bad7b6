//! What was sent to a hook, and sending it again.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

use super::{
    Call, Reply,
    error::{ApiError, not_found},
    hooks,
};
use crate::{model::Delivery, webhooks};

/// `GET …/hooks/{hook}/deliveries`, newest first
pub(crate) async fn list(call: Call) -> Reply {
    let (_, hook) = hooks::find(&call)?;
    let items = call.app.read(|state| {
        let of_hook = state.deliveries.iter().rev().filter(|delivery| delivery.hook_id == hook.id);
        of_hook.map(summary).collect()
    });
    Ok(call.page(items))
}

/// `GET …/hooks/{hook}/deliveries/{delivery}`
pub(crate) async fn show(call: Call) -> Reply {
    let delivery = find(&call)?;
    let mut body = summary(&delivery);
    body["url"] = json!(delivery.url);
    let payload: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
    body["request"] = json!({ "headers": delivery.request_headers, "payload": payload });
    body["response"] = json!({ "headers": delivery.response_headers, "payload": delivery.response_body });
    Ok(call.json(&body))
}

/// `POST …/hooks/{hook}/deliveries/{delivery}/attempts`
pub(crate) async fn redeliver(call: Call) -> Reply {
    let delivery = find(&call)?;
    webhooks::redeliver(&call.app.clone().into_inner(), &delivery);
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(json!({})))
}

fn find(call: &Call) -> Result<Delivery, ApiError> {
    let (_, hook) = hooks::find(call)?;
    let id: u64 = call.parts.delivery.parse().unwrap_or_default();
    let wanted = |delivery: &&Delivery| delivery.id == id && delivery.hook_id == hook.id;
    call.app.read(|state| state.deliveries.iter().find(wanted).cloned()).ok_or_else(not_found)
}

fn summary(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": delivery.delivered_at,
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": null,
        "installation_id": null,
        "repository_id": delivery.repository_id,
        "throttled_at": null,
    })
}
