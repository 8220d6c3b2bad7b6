//! Whether this process lives, and whether it can serve.

use crate::app::App;
use crate::error::Result;
use actix_web::{HttpResponse, web::Data};

pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "alive"}))
}

pub async fn ready(app: Data<App>) -> Result<HttpResponse> {
    app.db.ping().await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({"status": "ready"})))
}
