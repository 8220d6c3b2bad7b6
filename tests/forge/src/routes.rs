//! The whole URL space, grouped by who calls it.

use actix_web::web::{self, ServiceConfig, delete, get, patch, post, resource, scope};

use crate::{
    api::{commits, contents, deliveries, hooks, members, organizations, refs, repositories, statuses, user},
    app::App,
    control, git_http,
    oauth::{consent, token},
    pages::{front, settings},
};

pub(crate) fn configure(config: &mut ServiceConfig, app: &App) {
    config.service(scope("/api/v3").configure(api));
    if app.control {
        config.service(scope("/_control").configure(control::routes));
    }
    config
        .service(resource("/login/oauth/authorize").route(get().to(consent::show)).route(post().to(consent::decide)))
        .service(resource("/login/oauth/access_token").route(post().to(token::exchange)))
        .service(resource("/login/as/{login}").route(get().to(settings::sign_in)))
        .service(
            resource("/settings/connections/applications/{client}")
                .route(get().to(settings::show))
                .route(post().to(settings::change)),
        )
        .service(resource("/avatars/{id}").route(get().to(front::avatar)));
    config.service(resource("/{owner}/{repo}/{service:info/refs}").route(get().to(git_http::serve))).service(
        resource("/{owner}/{repo}/{service:git-upload-pack|git-receive-pack}").route(post().to(git_http::serve)),
    );
    config
        .service(resource("/").route(get().to(front::home)))
        .service(resource("/{owner}").route(get().to(front::home)))
        .service(resource("/{owner}/{repo}").route(get().to(front::repository)))
        .service(resource("/{owner}/{repo}/tree/{branch:.*}").route(get().to(front::repository)))
        .service(resource("/{owner}/{repo}/commit/{sha}").route(get().to(front::commit)))
        .service(resource("/{owner}/{repo}/blob/{ref}/{path:.*}").route(get().to(front::blob)))
        .service(resource("/{owner}/{repo}/raw/{ref}/{path:.*}").route(get().to(front::raw)));
}

/// GitHub's REST API.
fn api(config: &mut ServiceConfig) {
    config
        .route("", get().to(repositories::root))
        .route("/", get().to(repositories::root))
        .route("/meta", get().to(repositories::meta))
        .route("/rate_limit", get().to(repositories::rate_limit))
        .route("/user", get().to(user::show))
        .route("/user/emails", get().to(user::emails))
        .route("/user/orgs", get().to(organizations::mine))
        .route("/user/memberships/orgs", get().to(organizations::memberships))
        .route("/user/memberships/orgs/{org}", get().to(organizations::my_membership))
        .route("/user/repos", get().to(user::repositories))
        .route("/users/{login}", get().to(user::find))
        .route("/users/{login}/repos", get().to(organizations::repositories))
        .route("/user/{id:[0-9]+}", get().to(members::account))
        .route("/organizations/{id}", get().to(members::organization))
        .route("/orgs/{org}/memberships/{login}", get().to(members::membership))
        .route("/orgs/{org}/members/{login}", get().to(members::is_member))
        .route("/orgs/{org}", get().to(organizations::show))
        .route("/orgs/{login}/repos", get().to(organizations::repositories))
        .route("/applications/{client}/{what:token|grant}", delete().to(token::give_back))
        .service(scope("/repos/{owner}/{repo}").configure(repository))
        .service(scope("/repositories/{id}").configure(repository))
        .default_service(web::to(repositories::unknown));
}

/// One repository, by name or by id.
fn repository(config: &mut ServiceConfig) {
    config
        .route("", get().to(repositories::show))
        .route("/branches", get().to(refs::branches))
        .route("/branches/{branch:.*}", get().to(refs::branch))
        .route("/tags", get().to(refs::tags))
        .route("/git/refs", get().to(refs::matching))
        .route("/git/refs/{ref:.*}", get().to(refs::matching))
        .route("/git/matching-refs/{ref:.*}", get().to(refs::matching))
        .route("/git/ref/{ref:.*}", get().to(refs::one))
        .route("/git/trees/{sha:.*}", get().to(contents::tree))
        .route("/git/blobs/{sha}", get().to(contents::blob))
        .route("/contents", get().to(contents::show))
        .route("/contents/{path:.*}", get().to(contents::show))
        .route("/statuses/{sha}", post().to(statuses::create))
        .route("/statuses/{ref:.*}", get().to(statuses::list))
        .route("/commits", get().to(commits::list))
        .route("/commits/{ref:.*}/statuses", get().to(statuses::list))
        .route("/commits/{ref:.*}/status", get().to(statuses::combined))
        .route("/commits/{ref:.*}", get().to(commits::show))
        .service(resource("/hooks").route(get().to(hooks::list)).route(post().to(hooks::create)))
        .service(
            resource("/hooks/{hook}")
                .route(get().to(hooks::show))
                .route(patch().to(hooks::update))
                .route(delete().to(hooks::delete)),
        )
        .service(
            resource("/hooks/{hook}/config")
                .route(get().to(hooks::show_config))
                .route(patch().to(hooks::update_config)),
        )
        .route("/hooks/{hook}/pings", post().to(hooks::ping))
        .route("/hooks/{hook}/deliveries", get().to(deliveries::list))
        .route("/hooks/{hook}/deliveries/{delivery}", get().to(deliveries::show))
        .route("/hooks/{hook}/deliveries/{delivery}/attempts", post().to(deliveries::redeliver));
}
