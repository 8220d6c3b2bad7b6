//! The repository that a page shows, and who may look at it.

use actix_web::{HttpRequest, HttpResponse};

use crate::{
    access,
    api::statuses::newest,
    app::App,
    git::Git,
    model::{Account, Permission, Repository, Status},
    pages::{not_found, person},
    store::State,
};

/// The repository of the path, for somebody who may see it.
pub(super) struct View {
    pub(super) repository: Repository,
    pub(super) full_name: String,
    pub(super) git: Git,
}

impl View {
    pub(super) fn open(app: &App, request: &HttpRequest) -> Option<Self> {
        let parts = request.match_info();
        let name = parts.query("repo");
        let name = name.strip_suffix(".git").unwrap_or(name);
        let person = person(app, request);
        app.read(|state| {
            let owner = parts.query("owner");
            let found = state.repository_named(owner, name).or_else(|| state.repository_formerly(owner, name))?;
            may_see(state, found, person.as_ref()).then(|| Self {
                full_name: state.full_name(found),
                git: app.git(found),
                repository: found.clone(),
            })
        })
    }

    pub(super) fn missing() -> HttpResponse {
        not_found("This is not the page you are looking for. It may be private: try another person on the first page.")
    }

    pub(super) fn statuses(&self, sha: &str) -> Vec<Status> {
        newest(&self.repository.statuses, sha).into_iter().cloned().collect()
    }
}

pub(super) fn may_see(state: &State, repository: &Repository, person: Option<&Account>) -> bool {
    let role = person.map_or(Permission::None, |person| access::role(state, repository, person.id));
    !repository.private || role > Permission::None
}
