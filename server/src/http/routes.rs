//! The whole URL space, grouped by who calls it.

use actix_web::web::{ServiceConfig, get, post, resource};

pub fn configure(service: &mut ServiceConfig) {
    operators(service);
    forges(service);
}

fn forges(service: &mut ServiceConfig) {
    service.service(resource("/hooks/github/{source_id}").route(post().to(crate::hooks::github)));
}

fn operators(service: &mut ServiceConfig) {
    use crate::web::health;
    service
        .service(resource("/healthz").route(get().to(health::alive)))
        .service(resource("/readyz").route(get().to(health::ready)));
}
