//! The public key for `cosign verify --key URL`.

use crate::app::App;
use crate::error::Result;
use crate::trust;
use actix_web::HttpResponse;
use actix_web::web::Data;

/// The same for every name, so it does not tell which private repositories exist.
pub async fn show(app: Data<App>) -> Result<HttpResponse> {
    let pem = trust::public_key(&app).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(pem))
}
