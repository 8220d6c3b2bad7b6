//! What a builder is told: all it needs, and nothing that outlives the attempt.

use super::lease::LEASE;
use super::queue::Taken;
use crate::app::App;
use crate::config::authority;
use crate::policy::BUILD_CACHE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use slipway_protocol::{Assignment, CacheRef, HeadersSecret, PushTarget, SourceSpec, Target, VERSION};
use std::collections::BTreeMap;

/// User name of builds at the registry's token endpoint; the password is the attempt's token.
pub(crate) const USERNAME: &str = "build";

pub(super) fn make(app: &App, taken: &Taken, authorization: Option<HeadersSecret>) -> Assignment {
    let Taken { build, attempt, token, snapshot, source, home } = taken;
    let mask = authorization.iter().flat_map(secret_parts).map(|part| STANDARD.encode(part)).collect();
    Assignment {
        version: VERSION,
        attempt_id: attempt.id,
        build_id: build.id,
        title: home.title(build.number),
        attempt_token: token.reveal().to_owned(),
        lease_secs: LEASE.unsigned_abs() / 1_000,
        deadline_secs: app.config.builds.deadline_secs,
        trust_domain: format!("{}:trusted", home.namespace.id),
        source: SourceSpec {
            id: source.id,
            clone_url: source.clone_url.clone(),
            authorization,
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
        cache: CacheRef { reference: format!("{BUILD_CACHE}/{}:cache", home.repository.id.simple()) },
        logins: app.config.builds.logins.clone(),
        mirrors: app.config.builds.mirrors.clone(),
        secrets: BTreeMap::new(),
        mask,
    }
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

/// What must not be read in a log: the value behind the scheme and, of a basic one, its password.
fn secret_parts(header: &HeadersSecret) -> Vec<Vec<u8>> {
    let value = header.0.split_once(' ').map_or(header.0.as_str(), |(_, value)| value);
    let mut parts = vec![value.as_bytes().to_vec()];
    if let Ok(pair) = STANDARD.decode(value)
        && let Some(colon) = pair.iter().position(|b| *b == b':')
    {
        parts.push(pair[colon + 1..].to_vec());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_inside_a_header_is_masked() {
        let parts = |header: &str| secret_parts(&HeadersSecret(header.into()));
        assert_eq!(parts("Bearer gho_x"), [b"gho_x"]);
        let basic = STANDARD.encode("x-access-token:gho_x");
        assert_eq!(parts(&format!("Basic {basic}")), [basic.as_bytes(), b"gho_x"]);
    }
}
