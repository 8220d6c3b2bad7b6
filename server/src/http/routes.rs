//! The whole URL space, grouped by who calls it.

use actix_web::web::{ServiceConfig, get, post, resource};

pub fn configure(service: &mut ServiceConfig) {
    operators(service);
    builders(service);
    keys(service);
}

fn operators(service: &mut ServiceConfig) {
    use crate::web::health;
    service
        .service(resource("/healthz").route(get().to(health::alive)))
        .service(resource("/readyz").route(get().to(health::ready)));
}

fn builders(service: &mut ServiceConfig) {
    use crate::builder_api as api;
    service
        .service(resource("/builder/v1/claim").route(post().to(api::claim)))
        .service(resource("/builder/v1/attempts/{attempt}/heartbeat").route(post().to(api::heartbeat)))
        .service(resource("/builder/v1/attempts/{attempt}/records").route(post().to(api::records)))
        .service(resource("/builder/v1/attempts/{attempt}/finish").route(post().to(api::finish)));
}

fn keys(service: &mut ServiceConfig) {
    use crate::web::cosign_key;
    service.service(resource("/{namespace}/{repository:[^-].*}/-/cosign.pub").route(get().to(cosign_key::show)));
}
