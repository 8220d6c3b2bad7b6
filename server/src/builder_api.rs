//! The builders' surface: claim, heartbeat, records, finish, and the source (`slipway-protocol` describes the messages).
//!
//! Who calls is checked before a body is read. A builder's token gives work, an attempt's token only that attempt.

mod body;
mod callers;
pub mod source;

use crate::app::App;
use crate::builds::{self, fleet::Seen, lease, log, queue};
use crate::error::{Error, Result};
use actix_web::HttpResponse;
use actix_web::web::{Data, Payload};
use callers::{AttemptCaller, BuilderCaller};
use serde_json::Value;
use slipway_protocol::{ClaimRequest, Finish, Heartbeat, RecordBatch, VERSION};
use std::time::Duration;

/// The longest a claim or a heartbeat may wait.
const MOST_WAIT_SECS: u64 = 30;
const CLAIM_BYTES: usize = 64 << 10;
const HEARTBEAT_BYTES: usize = 4 << 10;
/// Builders send 64 KiB at once, and more only when a single line is longer.
const RECORDS_BYTES: usize = 4 << 20;
const FINISH_BYTES: usize = 1 << 20;

/// What is no address for builders.
pub async fn unknown() -> Result<HttpResponse> {
    Err(Error::not_found("this address for builders"))
}

/// Waits for work and hands it out, or 204.
pub async fn claim(caller: BuilderCaller, payload: Payload, app: Data<App>) -> Result<HttpResponse> {
    let request = read_claim(&caller, payload, &app).await?;
    let name = caller.name(&request.builder);
    app.builders.asked(Seen {
        name: name.clone(),
        at: app.clock.now(),
        platforms: request.platforms.clone(),
        slots: request.slots,
        unable: request.unable.clone(),
    });
    if request.unable.is_some() || request.slots == 0 {
        return Ok(HttpResponse::NoContent().finish());
    }
    let patience = Duration::from_secs(request.wait_secs.min(MOST_WAIT_SECS));
    let assignment = queue::wait_for_work(&app, &name, &request.platforms, patience).await?;
    Ok(assignment.map_or_else(|| HttpResponse::NoContent().finish(), |a| HttpResponse::Ok().json(a)))
}

// The version first: a message of another version may not parse.
async fn read_claim(caller: &BuilderCaller, payload: Payload, app: &App) -> Result<ClaimRequest> {
    let value: Value = body::read(payload, CLAIM_BYTES).await?;
    let version = value["version"].as_u64().unwrap_or_default();
    if version != u64::from(VERSION) {
        let why = format!(
            "this builder speaks version {version} of the protocol, and the server version {VERSION}: update the older of the two"
        );
        // The pages of builds that wait for it say so too.
        let name = caller.name(value["builder"].as_str().unwrap_or_default());
        let (at, unable) = (app.clock.now(), Some(why.clone()));
        app.builders.asked(Seen { name, at, platforms: Vec::new(), slots: 0, unable });
        return Err(Error::Invalid(why));
    }
    let mut request: ClaimRequest = serde_json::from_value(value).map_err(|e| Error::Invalid(format!("claim: {e}")))?;
    request.platforms.truncate(50);
    Ok(request)
}

pub async fn heartbeat(caller: AttemptCaller, payload: Payload, app: Data<App>) -> Result<HttpResponse> {
    let wish: Heartbeat = body::read(payload, HEARTBEAT_BYTES).await?;
    let patience = Duration::from_secs(wish.wait_secs.min(MOST_WAIT_SECS));
    Ok(HttpResponse::Ok().json(lease::heartbeat_until_cancel(&app, &caller.attempt, patience).await?))
}

pub async fn records(caller: AttemptCaller, payload: Payload, app: Data<App>) -> Result<HttpResponse> {
    let batch: RecordBatch = body::read(payload, RECORDS_BYTES).await?;
    Ok(HttpResponse::Ok().json(log::append(&app, &caller.attempt, batch).await?))
}

pub async fn finish(caller: AttemptCaller, payload: Payload, app: Data<App>) -> Result<HttpResponse> {
    let finish: Finish = body::read(payload, FINISH_BYTES).await?;
    Ok(HttpResponse::Ok().json(builds::finish(&app, &caller.attempt, finish).await?))
}
