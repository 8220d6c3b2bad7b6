//! The whole URL space, grouped by who calls it.

use crate::oci;
use actix_web::web::{ServiceConfig, delete, get, head, patch, post, put, resource};

pub fn configure(service: &mut ServiceConfig) {
    operators(service);
    accounts(service);
    registry_clients(service);
}

fn operators(service: &mut ServiceConfig) {
    use crate::web::health;
    service
        .service(resource("/healthz").route(get().to(health::alive)))
        .service(resource("/readyz").route(get().to(health::ready)));
}

/// The way in and out, and the tokens that people make.
fn accounts(service: &mut ServiceConfig) {
    use crate::web::{sign_in, tokens};
    service
        .service(resource("/login").route(get().to(sign_in::show)))
        .service(resource("/login/github").route(get().to(sign_in::go)))
        .service(resource("/login/github/callback").route(get().to(sign_in::callback)))
        .service(resource("/logout").route(post().to(sign_in::leave)))
        .service(resource("/settings/tokens").route(get().to(tokens::list)).route(post().to(tokens::create)))
        .service(resource("/settings/tokens/new").route(get().to(tokens::new)))
        .service(resource("/settings/tokens/{id}/revoke").route(post().to(tokens::revoke)));
}

/// docker, podman, skopeo, crane, helm, oras, BuildKit. Names have several parts; `{name:.+}` is parsed by `names`.
fn registry_clients(service: &mut ServiceConfig) {
    service
        .service(resource("/token").route(get().to(oci::token::get)).route(post().to(oci::token::post)))
        .service(resource(["/v2", "/v2/"]).route(get().to(oci::version)).route(head().to(oci::version)))
        .service(resource("/v2/_catalog").route(get().to(oci::catalog::list)))
        .service(resource("/v2/{name:.+}/blobs/uploads{slash:/?}").route(post().to(oci::uploads::start)))
        .service(
            resource("/v2/{name:.+}/blobs/uploads/{id}")
                .route(get().to(oci::uploads::status))
                .route(patch().to(oci::uploads::append))
                .route(put().to(oci::uploads::finish))
                .route(delete().to(oci::uploads::cancel)),
        )
        .service(
            resource("/v2/{name:.+}/blobs/{digest}")
                .route(get().to(oci::blobs::get))
                .route(head().to(oci::blobs::head))
                .route(delete().to(oci::blobs::delete)),
        )
        .service(
            resource("/v2/{name:.+}/manifests/{reference}")
                .route(get().to(oci::manifests::get))
                .route(head().to(oci::manifests::head))
                .route(put().to(oci::manifests::put))
                .route(delete().to(oci::manifests::delete)),
        )
        .service(resource("/v2/{name:.+}/tags/list").route(get().to(oci::tags::list)))
        .service(resource("/v2/{name:.+}/referrers/{digest}").route(get().to(oci::referrers::list)));
}
