//! Whether this process lives, and whether it can serve.

use crate::app::App;
use actix_web::{HttpResponse, http::header::RETRY_AFTER, web::Data};
use serde_json::json;
use std::time::Duration;

/// Whoever asks wants an answer soon; a database that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(3);
/// After so many seconds it is worth to ask again.
const RETRY_AFTER_SECS: u64 = 5;

pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

pub async fn ready(app: Data<App>) -> HttpResponse {
    let trouble = match tokio::time::timeout(PATIENCE, app.db.ping()).await {
        Ok(Ok(())) => return HttpResponse::Ok().json(json!({"status": "ready"})),
        Ok(Err(error)) => error.for_log(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    tracing::warn!("not ready: {}: {trouble}", app.db.kind());
    let answer = json!({"status": "not ready", "database": format!("{} does not answer", app.db.kind())});
    HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, RETRY_AFTER_SECS)).json(answer)
}
