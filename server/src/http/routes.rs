//! The whole URL space, grouped by who calls it.

use actix_web::web::{ServiceConfig, get, post, resource};

pub fn configure(service: &mut ServiceConfig) {
    operators(service);
    accounts(service);
}

fn accounts(service: &mut ServiceConfig) {
    use crate::web::sign_in;
    service
        .service(resource("/login").route(get().to(sign_in::show)))
        .service(resource("/login/github").route(get().to(sign_in::go)))
        .service(resource("/login/github/callback").route(get().to(sign_in::callback)))
        .service(resource("/logout").route(post().to(sign_in::leave)));
}

fn operators(service: &mut ServiceConfig) {
    use crate::web::health;
    service
        .service(resource("/healthz").route(get().to(health::alive)))
        .service(resource("/readyz").route(get().to(health::ready)));
}
