//! The whole URL space, grouped by who calls it.

use crate::oci;
use actix_web::web::{ServiceConfig, delete, get, head, patch, post, put, resource};

pub fn configure(service: &mut ServiceConfig) {
    operators(service);
    accounts(service);
    registry_clients(service);
    builders(service);
    forges(service);
    repositories(service);
    namespaces(service);
}

fn operators(service: &mut ServiceConfig) {
    use crate::web::{assets, health, home};
    service
        .service(resource("/").route(get().to(home::show)))
        .service(resource(assets::ROUTE).route(get().to(assets::serve)).route(head().to(assets::serve)))
        .service(resource("/healthz").route(get().to(health::alive)))
        .service(resource("/readyz").route(get().to(health::ready)));
}

/// The way in and out, and the tokens that people make.
fn accounts(service: &mut ServiceConfig) {
    use crate::web::{import, people, sign_in, tokens};
    service
        .service(resource("/login").route(get().to(sign_in::show)))
        .service(resource("/login/github").route(get().to(sign_in::go)))
        .service(resource("/login/github/callback").route(get().to(sign_in::callback)))
        .service(resource("/logout").route(post().to(sign_in::leave)))
        .service(resource("/settings/tokens").route(get().to(tokens::list)).route(post().to(tokens::create)))
        .service(resource("/settings/tokens/new").route(get().to(tokens::new)))
        .service(
            resource("/settings/tokens/{id}/revoke")
                .route(get().to(tokens::confirm_revoke))
                .route(post().to(tokens::revoke)),
        )
        .service(resource("/settings/people").route(get().to(people::list)).route(post().to(people::confirm)))
        .service(resource("/new/import").route(get().to(import::show)).route(post().to(import::build)))
        .service(resource("/new/import/refresh").route(post().to(import::refresh)));
}

/// docker, podman, skopeo, crane, helm, oras, BuildKit. Names have several parts; `{name:.+}` is parsed by `names`.
fn registry_clients(service: &mut ServiceConfig) {
    service
        .service(
            resource("/token")
                .route(get().to(oci::token::get))
                .route(head().to(oci::token::get))
                .route(post().to(oci::token::post)),
        )
        .service(resource(["/v2", "/v2/"]).route(get().to(oci::version)).route(head().to(oci::version)))
        .service(resource("/v2/_catalog").route(get().to(oci::catalog::list)).route(head().to(oci::catalog::list)))
        .service(resource("/v2/{name:.+}/blobs/uploads{slash:/?}").route(post().to(oci::uploads::start)))
        .service(
            resource("/v2/{name:.+}/blobs/uploads/{id}")
                .route(get().to(oci::uploads::status))
                .route(head().to(oci::uploads::status))
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
        .service(resource("/v2/{name:.+}/tags/list").route(get().to(oci::tags::list)).route(head().to(oci::tags::list)))
        .service(
            resource("/v2/{name:.+}/referrers/{digest}")
                .route(get().to(oci::referrers::list))
                .route(head().to(oci::referrers::list)),
        )
        // Else `v2` would be looked up as a namespace with pages.
        .service(resource("/v2/{rest:.*}").to(oci::unknown));
}

/// GitHub.
fn forges(service: &mut ServiceConfig) {
    service.service(resource("/hooks/github/{source_id}").route(post().to(crate::hooks::github)));
}

/// `slipway-builder`, and the one inside `serve`.
fn builders(service: &mut ServiceConfig) {
    use crate::builder_api as api;
    service
        .service(resource("/builder/v1/claim").route(post().to(api::claim)))
        .service(resource("/builder/v1/attempts/{attempt}/heartbeat").route(post().to(api::heartbeat)))
        .service(resource("/builder/v1/attempts/{attempt}/records").route(post().to(api::records)))
        .service(resource("/builder/v1/attempts/{attempt}/finish").route(post().to(api::finish)))
        .service(resource("/builder/v1/attempts/{attempt}/source.git/info/refs").route(get().to(api::source::refs)))
        .service(
            resource("/builder/v1/attempts/{attempt}/source.git/git-upload-pack").route(post().to(api::source::pack)),
        )
        .service(resource("/builder/v1/attempts/{attempt}/source.git").to(api::source::refuse))
        .service(resource("/builder/v1/attempts/{attempt}/source.git/{rest:.*}").to(api::source::refuse))
        // Else `builder` would be looked up as a namespace with pages.
        .service(resource("/builder/{rest:.*}").to(api::unknown));
}

/// Pages of a repository. What is not the repository itself lives behind `/-/`, which is no legal part of a name.
fn repositories(service: &mut ServiceConfig) {
    use crate::web::{cosign_key, repository, settings, signing_key, tags};
    const AT: &str = "/{namespace}/{repository:.+?}/-";
    let at = |rest: &str| resource(format!("{AT}/{rest}"));
    builds(service);
    service
        .service(at("cosign.pub").route(get().to(cosign_key::show)))
        .service(at("tags").route(get().to(tags::list)))
        .service(at("tags/{tag}").route(get().to(tags::show)))
        .service(at("tags/{tag}/delete").route(get().to(tags::confirm_delete)).route(post().to(tags::delete)))
        .service(at("settings").route(get().to(settings::show)))
        .service(at("settings/rule").route(post().to(settings::save_rule)))
        .service(at("settings/bases").route(post().to(settings::bases::add)))
        .service(at("settings/bases/remove").route(post().to(settings::bases::remove)))
        .service(
            at("settings/visibility")
                .route(get().to(settings::publish::confirm))
                .route(post().to(settings::save_visibility)),
        )
        .service(at("settings/webhook").route(post().to(settings::repair)))
        .service(
            at("settings/key/rotate")
                .route(get().to(signing_key::confirm_rotate))
                .route(post().to(signing_key::rotate)),
        )
        .service(at("settings/key/publish").route(post().to(signing_key::publish)))
        .service(
            at("settings/key/revoke")
                .route(get().to(signing_key::confirm_revoke))
                .route(post().to(signing_key::revoke)),
        )
        .service(at("settings/delete").route(get().to(settings::confirm_delete)).route(post().to(settings::delete)))
        .service(at("{rest:.*}").to(repository::absent))
        .service(resource("/{namespace}/{repository:[^-].*}").route(get().to(repository::show)));
}

fn builds(service: &mut ServiceConfig) {
    use crate::web::build;
    let at = |rest: &str| resource(format!("/{{namespace}}/{{repository:.+?}}/-/builds{rest}"));
    service
        .service(at("").route(get().to(build::list)).route(post().to(build::build_now)))
        .service(at("/events").route(get().to(build::list_events::stream)))
        .service(at("/{number:[0-9]+}").route(get().to(build::show)))
        .service(at("/{number:[0-9]+}/events").route(get().to(build::events::stream)))
        .service(at("/{number:[0-9]+}/lines").route(get().to(build::middle::lines)))
        .service(at("/{number:[0-9]+}/raw").route(get().to(build::log::raw)))
        .service(at("/{number:[0-9]+}/allow-base").route(post().to(build::base::allow)))
        .service(at("/{number:[0-9]+}/cancel").route(post().to(build::cancel)))
        .service(at("/{number:[0-9]+}/rerun").route(post().to(build::rerun)));
}

fn namespaces(service: &mut ServiceConfig) {
    service.service(resource("/{namespace}").route(get().to(crate::web::namespace::show)));
}
