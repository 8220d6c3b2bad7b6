//! The whole URL space, grouped by who calls it.

use actix_web::web::{ServiceConfig, get, resource};

pub fn configure(service: &mut ServiceConfig) {
    operators(service);
}

fn operators(service: &mut ServiceConfig) {
    use crate::web::health;
    service
        .service(resource("/healthz").route(get().to(health::alive)))
        .service(resource("/readyz").route(get().to(health::ready)));
}
