//! `/_control`: steering the forge from another process, for browser tests and scripts.
//!
//! Everything is JSON; there is no access check, so it is off unless asked for.

mod calls;

use actix_web::web::{ServiceConfig, delete, get, post, resource};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .route("/requests", get().to(calls::requests))
        .route("/deliveries", get().to(calls::deliveries))
        .route("/deliveries/{id}/redeliver", post().to(calls::redeliver))
        .service(resource("/faults").route(post().to(calls::plan_fault)).route(delete().to(calls::heal)))
        .route("/down", post().to(calls::set_down))
        .route("/hooks", post().to(calls::refuse_hooks))
        .route("/people", post().to(calls::add_person))
        .route("/people/{login}/revoke", post().to(calls::revoke))
        .route("/people/{login}/tokens", post().to(calls::issue_token))
        .route("/organizations", post().to(calls::add_organization))
        .route("/organizations/{login}/restrict", post().to(calls::restrict))
        .route("/organizations/{login}/sign-on", post().to(calls::want_sign_on))
        .route("/organizations/{login}/members/{person}", delete().to(calls::remove_member))
        .route("/repositories", post().to(calls::add_repository))
        .service(
            resource("/repositories/{owner}/{repo}")
                .route(get().to(calls::show_repository))
                .route(post().to(calls::change_repository))
                .route(delete().to(calls::delete_repository)),
        )
        .route("/repositories/{owner}/{repo}/commits", post().to(calls::commit))
        .route("/repositories/{owner}/{repo}/tags", post().to(calls::tag));
}
