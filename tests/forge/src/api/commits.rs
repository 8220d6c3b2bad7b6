//! Commits: the list, and one of them.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

use super::{
    Call, Need, Reply,
    error::{ApiError, unprocessable},
    refs::repository_api,
    shapes,
};
use crate::{git::Git, model::Repository};

/// `GET …/commits`, newest first, of `sha` (a branch or commit) or the default branch.
pub(crate) async fn list(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let sha = resolve(&git, &repository, call.query("sha").unwrap_or(&repository.default_branch))?;
    // 1,000 are more than a client of a demo pages through.
    let commits = git.log(&[&sha], 0, 1000)?;
    let items = call.app.read(|state| {
        let name = state.full_name(&repository);
        commits.iter().map(|commit| shapes::commit(&call.app, state, &name, commit)).collect()
    });
    Ok(call.page(items))
}

/// `GET …/commits/{ref}`; `Accept: application/vnd.github.sha` gives the hash alone.
pub(crate) async fn show(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let sha = resolve(&git, &repository, call.parts.reference.as_str())?;
    if call.header("accept").contains("github.sha") || call.header("accept").contains("github.v3.sha") {
        return Ok(HttpResponse::Ok().content_type("application/vnd.github.sha; charset=utf-8").body(sha));
    }
    let commit = git.commit(&sha)?;
    let files = files(&call, &git, &sha)?;
    let mut body = call.app.read(|state| shapes::commit(&call.app, state, &state.full_name(&repository), &commit));
    body["stats"] = json!({ "total": 0, "additions": 0, "deletions": 0 });
    body["files"] = Value::Array(files);
    Ok(call.json(&body))
}

fn files(call: &Call, git: &Git, sha: &str) -> Result<Vec<Value>, ApiError> {
    let api = repository_api(call);
    let mut files = Vec::new();
    for (list, status) in git.changed_files(sha)?.into_iter().zip(["added", "removed", "modified"]) {
        for name in list {
            files.push(json!({
                "sha": null, "filename": name, "status": status, "additions": 0, "deletions": 0, "changes": 0,
                "blob_url": null, "raw_url": null, "contents_url": format!("{api}/contents/{name}?ref={sha}"),
            }));
        }
    }
    Ok(files)
}

/// The commit that a name stands for, or GitHub's answer when there is none.
pub(crate) fn resolve(git: &Git, repository: &Repository, name: &str) -> Result<String, ApiError> {
    git.resolve(name).ok_or_else(|| {
        if git.refs().is_ok_and(|refs| refs.is_empty()) {
            return ApiError::new(StatusCode::CONFLICT, "Git Repository is empty.");
        }
        tracing::debug!("{} has no commit `{name}`", repository.name);
        unprocessable(&format!("No commit found for SHA: {name}"))
    })
}
