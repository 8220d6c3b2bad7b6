//! The registry's surface, OCI Distribution 1.1.

pub mod blobs;
pub mod catalog;
mod challenge;
mod conditions;
pub mod manifests;
mod paging;
mod path;
pub mod referrers;
pub mod tags;
pub mod token;
pub mod uploads;

pub use challenge::challenge;

use crate::policy::Principal;
use actix_web::{HttpRequest, HttpResponse};

/// What is no address of the registry.
pub async fn unknown() -> crate::error::Result<HttpResponse> {
    Err(crate::error::Error::not_found("this address of the registry"))
}

/// `GET /v2/`: clients learn here how to sign in, so it asks for credentials even where reading is free.
pub async fn version(request: HttpRequest, _: Principal) -> crate::error::Result<HttpResponse> {
    if crate::auth::extract::bearer_of(&request).is_none() {
        return Err(crate::error::Error::Unauthorized(
            "sign in with `docker login`, or go on without an account".into(),
        ));
    }
    Ok(HttpResponse::Ok()
        .insert_header(("docker-distribution-api-version", "registry/2.0"))
        .json(serde_json::json!({})))
}
