//! What a registry path and query name, parsed by `names`.

use crate::app::App;
use crate::auth::extract::{principal_of, refusal, repository_access};
use crate::error::{Error, OciCode, Result};
use crate::names::{Digest, Reference, RepositoryName};
use crate::policy::{self, Allowed, Decision, MissRepository, PullImage, PushImage};
use crate::registry::repositories;
use actix_web::HttpRequest;
use std::collections::HashMap;

pub(super) fn name(request: &HttpRequest) -> Result<RepositoryName> {
    request.match_info().query("name").parse()
}

pub(super) fn digest(request: &HttpRequest) -> Result<Digest> {
    request.match_info().query("digest").parse()
}

pub(super) fn reference(request: &HttpRequest) -> Result<Reference> {
    request.match_info().query("reference").parse()
}

/// The query parameters that something here reads once.
const READ: &[&str] = &["digest", "digest-algorithm", "mount", "from", "n", "last", "artifactType"];

/// Query parameters. One of ours that comes twice has no one meaning; those of others are theirs. A `+` is a plus, as in
/// `application/spdx+json`: clients do not encode it, and nothing here has a space.
pub(super) fn query(request: &HttpRequest) -> Result<HashMap<String, String>> {
    let mut query = HashMap::new();
    for (key, value) in pairs(request)? {
        if query.insert(key.clone(), value).is_some() && READ.contains(&key.as_str()) {
            return Err(Error::invalid(format!("the parameter `{key}` is given twice")));
        }
    }
    Ok(query)
}

/// All values of a parameter that may come several times.
pub(super) fn all(request: &HttpRequest, key: &str) -> Result<Vec<String>> {
    Ok(pairs(request)?.into_iter().filter(|(name, _)| name == key).map(|(_, value)| value).collect())
}

fn pairs(request: &HttpRequest) -> Result<Vec<(String, String)>> {
    serde_urlencoded::from_str(&request.query_string().replace('+', "%2B"))
        .map_err(|e| Error::registry(OciCode::Unsupported, format!("the query cannot be read: {e}")))
}

/// Permission to push to the repository of the path, which need not exist yet.
pub(super) async fn allowed_push(app: &App, request: &HttpRequest) -> Result<Allowed<PushImage>> {
    let name = name(request)?;
    let principal = principal_of(request).await?;
    let decision = match repositories::for_push(app, &principal, &name).await? {
        Some(on) => match policy::check::<PushImage>(&principal, on) {
            Ok(allowed) => return Ok(allowed),
            Err(decision) => decision,
        },
        None => Decision::Hide,
    };
    Err(refusal(request, &principal, decision, &format!("repository `{name}`")))
}

/// Permission to pull from the repository of the path; `None` where it is not there, and the caller may know that.
pub(super) async fn allowed_pull(app: &App, request: &HttpRequest) -> Result<Option<Allowed<PullImage>>> {
    let name = name(request)?;
    let principal = principal_of(request).await?;
    let mut decision = Decision::Hide;
    if let Some(on) = repository_access(app, &principal, &name).await? {
        match policy::check::<PullImage>(&principal, on) {
            Ok(allowed) => return Ok(Some(allowed)),
            Err(refused) => decision = refused,
        }
    }
    let absent = match repositories::for_push(app, &principal, &name).await {
        Err(Error::Registry { code: OciCode::NameInvalid, .. }) => None,
        found => found?,
    };
    if decision == Decision::Hide && absent.is_some_and(|on| policy::may::<MissRepository>(&principal, &on)) {
        return Ok(None);
    }
    Err(refusal(request, &principal, decision, &format!("repository `{name}`")))
}

/// Permission to pull from another repository, for a mount; `None` looks the same as "the blob is not there".
pub(super) async fn allowed_pull_of(
    app: &App,
    request: &HttpRequest,
    name: &str,
) -> Result<Option<Allowed<PullImage>>> {
    let Ok(name) = name.parse::<RepositoryName>() else { return Ok(None) };
    let principal = principal_of(request).await?;
    let Some(on) = repository_access(app, &principal, &name).await? else { return Ok(None) };
    Ok(policy::check::<PullImage>(&principal, on).ok())
}
