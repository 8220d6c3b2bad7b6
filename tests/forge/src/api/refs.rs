//! Branches, tags and other refs.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Call, Need, Reply,
    error::{ApiError, not_found},
    shapes,
};
use crate::git::Git;

/// `GET …/branches`
pub(crate) async fn branches(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let api = repository_api(&call);
    let refs = call.app.git(&repository).refs()?;
    let heads = refs.iter().filter_map(|(name, sha)| Some((name.strip_prefix("refs/heads/")?, sha)));
    let items = heads.map(|(name, sha)| branch_entry(&api, name, sha)).collect();
    Ok(call.page(items))
}

/// `GET …/branches/{branch}`
pub(crate) async fn branch(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let name = call.parts.branch.as_str();
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "Branch not found");
    let sha = git.refs()?.remove(&format!("refs/heads/{name}")).ok_or_else(missing)?;
    let api = repository_api(&call);
    let commit = git.commit(&sha)?;
    let body = call.app.read(|state| {
        let mut body = branch_entry(&api, name, &sha);
        body["commit"] = shapes::commit(&call.app, state, &state.full_name(&repository), &commit);
        body["protection"] = json!({ "enabled": false });
        let html = call.app.url(&format!("/{}/tree/{name}", state.full_name(&repository)));
        body["_links"] = json!({ "self": format!("{api}/branches/{name}"), "html": html });
        body
    });
    Ok(call.json(&body))
}

fn branch_entry(api: &str, name: &str, sha: &str) -> Value {
    json!({
        "name": name,
        "commit": { "sha": sha, "url": format!("{api}/commits/{sha}") },
        "protected": false,
        "protection_url": format!("{api}/branches/{name}/protection"),
    })
}

/// `GET …/tags`: an annotated tag shows the commit it points at.
pub(crate) async fn tags(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let api = repository_api(&call);
    let git = call.app.git(&repository);
    let mut items = Vec::new();
    for (name, id) in git.refs()?.iter().rev() {
        let Some(name) = name.strip_prefix("refs/tags/") else {
            continue;
        };
        let Some(sha) = git.peel(id) else { continue };
        items.push(json!({
            "name": name,
            "commit": { "sha": sha, "url": format!("{api}/commits/{sha}") },
            "zipball_url": format!("{api}/zipball/refs/tags/{name}"),
            "tarball_url": format!("{api}/tarball/refs/tags/{name}"),
            "node_id": shapes::node_id("Ref", format_args!("{}:{name}", repository.id)),
        }));
    }
    Ok(call.page(items))
}

/// `GET …/git/matching-refs/{ref}` and `GET …/git/refs`: all refs that start so.
pub(crate) async fn matching(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let api = repository_api(&call);
    let start = format!("refs/{}", call.parts.reference.as_str());
    let refs = git.refs()?;
    let found = refs.iter().filter(|(name, _)| name.starts_with(&start));
    let items = found.map(|(name, id)| ref_entry(&git, &api, name, id)).collect();
    Ok(call.page(items))
}

/// `GET …/git/ref/{ref}`
pub(crate) async fn one(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let name = format!("refs/{}", call.parts.reference.as_str());
    let id = git.refs()?.remove(&name).ok_or_else(not_found)?;
    Ok(call.json(&ref_entry(&git, &repository_api(&call), &name, &id)))
}

fn ref_entry(git: &Git, api: &str, name: &str, id: &str) -> Value {
    let annotated = name.starts_with("refs/tags/") && git.peel(id).is_some_and(|commit| commit != id);
    let kind = if annotated { "tag" } else { "commit" };
    json!({
        "ref": name,
        "node_id": shapes::node_id("Ref", name),
        "url": format!("{api}/git/{name}"),
        "object": { "type": kind, "sha": id, "url": format!("{api}/git/{kind}s/{id}") },
    })
}

/// `…/api/v3/repos/{owner}/{repo}` of the repository that is asked about.
pub(crate) fn repository_api(call: &Call) -> String {
    let name = call.repository(Need::Read).map(|found| call.app.read(|state| state.full_name(&found)));
    call.app.api(&format!("/repos/{}", name.unwrap_or_default()))
}
