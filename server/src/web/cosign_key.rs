//! The public key for `cosign verify --key URL`.

use crate::app::App;
use crate::error::Result;
use crate::trust;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct KeyPath {
    namespace: String,
}

#[derive(Deserialize)]
pub struct KeyQuery {
    /// A fingerprint: of a key before.
    #[serde(default)]
    key: String,
}

/// `/{ns}/{repo}/-/cosign.pub?key=`. Everybody is answered, since cosign asks without an account, and for every name, so
/// the answer does not tell which ones exist.
pub async fn show(path: Path<KeyPath>, query: Query<KeyQuery>, app: Data<App>) -> Result<HttpResponse> {
    let pem = match query.key.trim() {
        "" => trust::public_key(&app, &path.namespace).await?,
        fingerprint => trust::public_key_of(&app, &path.namespace, fingerprint).await?,
    };
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(pem))
}
