//! What a builder is told: all it needs, and nothing that outlives the attempt. No credential of a forge is in it.

use super::lease::LEASE;
use super::queue::Taken;
use crate::app::App;
use crate::config::authority;
use crate::db::Protection;
use crate::policy::build_cache;
use slipway_protocol::{Assignment, CacheRef, PushTarget, SourceSpec, Target, VERSION};
use std::collections::BTreeMap;
use uuid::Uuid;

/// User name of builds at the registry's token endpoint; the password is the attempt's token.
pub(crate) const USERNAME: &str = "build";

pub(super) fn make(app: &App, taken: &Taken) -> Assignment {
    let Taken { build, attempt, token, snapshot, source, home } = taken;
    Assignment {
        version: VERSION,
        attempt_id: attempt.id,
        build_id: build.id,
        title: home.title(build.number),
        attempt_token: token.reveal().to_owned(),
        lease_secs: LEASE.unsigned_abs() / 1_000,
        deadline_secs: app.config.builds.deadline_secs,
        // By repository: a daemon gives out by its digest what any of its builds has fetched, private bases too.
        trust_domain: format!("{}:{}", home.repository.id, attempt.protection),
        source: SourceSpec {
            id: source.id,
            clone_url: source.clone_url.clone(),
            fetch_url: fetch_url(app, attempt.id),
            commit: build.commit_hash.clone(),
        },
        target: Target {
            dockerfile: snapshot.dockerfile.clone(),
            context: snapshot.context.clone(),
            stage: snapshot.stage.clone(),
            platforms: snapshot.platforms.clone(),
            build_args: snapshot.build_args.clone(),
            labels: labels(taken),
            no_cache: build.no_cache,
        },
        push: PushTarget {
            host: authority(&app.config.internal_url),
            public_host: app.config.public_host(),
            repository: home.name(),
            insecure: app.config.internal_url.scheme() == "http",
            username: USERNAME.to_owned(),
        },
        cache: cache(home.repository.id, attempt.protection),
        logins: app.config.builds.logins.clone(),
        mirrors: app.config.builds.mirrors.clone(),
        git_hosts: app.config.builds.git_hosts.clone(),
        secrets: BTreeMap::new(),
    }
}

/// A build of an unprotected ref reads what protected ones left, and writes beside it.
fn cache(repository_id: Uuid, protection: Protection) -> CacheRef {
    let reference = |protection| format!("{}:cache", build_cache(repository_id, protection));
    let also_read = match protection {
        Protection::Protected => Vec::new(),
        Protection::Unprotected => vec![reference(Protection::Protected)],
    };
    CacheRef { reference: reference(protection), also_read }
}

/// Where `http/routes.rs` passes the source on.
fn fetch_url(app: &App, attempt: Uuid) -> String {
    let server = app.config.internal_url.as_str().trim_end_matches('/');
    format!("{server}/builder/v1/attempts/{attempt}/source.git")
}

// OCI image-spec, annotations.md. The name of a private source stays out of an image that may be public.
fn labels(taken: &Taken) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    labels.insert("org.opencontainers.image.revision".to_owned(), taken.build.commit_hash.clone());
    if !taken.source.is_private {
        labels.insert("org.opencontainers.image.source".to_owned(), taken.source.html_url.clone());
    }
    labels
}
