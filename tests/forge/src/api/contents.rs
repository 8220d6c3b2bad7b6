//! Files and folders: contents, trees and blobs.

use actix_web::{HttpResponse, http::StatusCode};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    Call, Need, Reply,
    error::{ApiError, not_found},
    refs::repository_api,
    shapes,
};
use crate::{
    git::{Entry, Found, Git},
    model::Repository,
};

/// Larger files come without content, as GitHub sends them.
const LARGE: usize = 1024 * 1024;

/// `GET …/contents/{path}`: an object for a file, a list for a folder.
pub(crate) async fn show(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let at = call.query("ref").unwrap_or(&repository.default_branch);
    let missing = || ApiError::new(StatusCode::NOT_FOUND, &format!("No commit found for the ref {at}"));
    let commit = git.resolve(at).ok_or_else(missing)?;
    match git.look(&commit, call.parts.path.as_str()).ok_or_else(not_found)? {
        Found::Folder(entries) => {
            let items: Vec<Value> = entries.iter().map(|entry| content(&call, &repository, entry, at)).collect();
            Ok(call.json(&Value::Array(items)))
        }
        Found::File(entry) => file(&call, &git, &repository, &entry, at),
    }
}

fn file(call: &Call, git: &Git, repository: &Repository, entry: &Entry, at: &str) -> Reply {
    let mut body = content(call, repository, entry, at);
    if entry.kind != "blob" {
        return Ok(call.json(&body));
    }
    let bytes = git.blob(&entry.sha)?;
    if call.header("accept").contains("raw") {
        return Ok(HttpResponse::Ok().content_type("application/vnd.github.raw; charset=utf-8").body(bytes));
    }
    let large = bytes.len() > LARGE;
    if entry.mode == "120000" {
        body["target"] = json!(String::from_utf8_lossy(&bytes));
    }
    body["encoding"] = json!(if large { "none" } else { "base64" });
    body["content"] = json!(if large { String::new() } else { wrapped(&bytes) });
    Ok(call.json(&body))
}

fn content(call: &Call, repository: &Repository, entry: &Entry, at: &str) -> Value {
    let api = repository_api(call);
    let full_name = call.app.read(|state| state.full_name(repository));
    let path = &entry.path;
    let url = format!("{api}/contents/{path}?ref={at}");
    let git_url = format!("{api}/git/{}s/{}", if entry.kind == "tree" { "tree" } else { "blob" }, entry.sha);
    let html = call.app.url(&format!("/{full_name}/blob/{at}/{path}"));
    let kind = match (entry.kind.as_str(), entry.mode.as_str()) {
        ("tree", _) => "dir",
        ("commit", _) => "submodule",
        (_, "120000") => "symlink",
        _ => "file",
    };
    let raw = call.app.url(&format!("/{full_name}/raw/{at}/{path}"));
    json!({
        "type": kind,
        "name": path.rsplit('/').next().unwrap_or(path),
        "path": path,
        "sha": entry.sha,
        "size": entry.size.unwrap_or(0),
        "url": url,
        "html_url": html,
        "git_url": git_url,
        "download_url": (entry.kind == "blob").then_some(raw),
        "_links": { "self": url, "git": git_url, "html": html },
    })
}

/// `GET …/git/trees/{sha}`, whole with `recursive`.
pub(crate) async fn tree(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let git = call.app.git(&repository);
    let name = call.parts.sha.as_str();
    let commit = git.resolve(name).map(|commit| format!("{commit}^{{tree}}"));
    let revision = commit.unwrap_or_else(|| format!("{name}^{{tree}}"));
    let sha = git.verify(&revision).filter(|_| !name.starts_with('-')).ok_or_else(not_found)?;
    let mut entries = git.tree(&sha, call.query("recursive").is_some())?;
    let truncated = entries.len() > call.app.tree_limit;
    entries.truncate(call.app.tree_limit);
    let api = repository_api(&call);
    let items: Vec<Value> = entries.iter().map(|entry| tree_entry(&api, entry)).collect();
    let url = format!("{api}/git/trees/{sha}");
    Ok(call.json(&json!({ "sha": sha, "url": url, "tree": items, "truncated": truncated })))
}

fn tree_entry(api: &str, entry: &Entry) -> Value {
    let mut item = json!({ "path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha });
    if let Some(size) = entry.size {
        item["size"] = json!(size);
    }
    if entry.kind != "commit" {
        item["url"] = json!(format!("{api}/git/{}s/{}", entry.kind, entry.sha));
    }
    item
}

/// `GET …/git/blobs/{sha}`
pub(crate) async fn blob(call: Call) -> Reply {
    let repository = call.repository(Need::Read)?;
    let sha = call.parts.sha.as_str();
    if !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(not_found());
    }
    let bytes = call.app.git(&repository).blob(sha).map_err(|missing| {
        tracing::debug!("no such blob: {missing}");
        not_found()
    })?;
    if call.header("accept").contains("raw") {
        return Ok(HttpResponse::Ok().content_type("application/vnd.github.raw; charset=utf-8").body(bytes));
    }
    Ok(call.json(&json!({
        "sha": sha,
        "node_id": shapes::node_id("Blob", sha),
        "size": bytes.len(),
        "url": format!("{}/git/blobs/{sha}", repository_api(&call)),
        "encoding": "base64",
        "content": wrapped(&bytes),
    })))
}

/// Base64 in lines of 60 characters, as GitHub writes it.
fn wrapped(bytes: &[u8]) -> String {
    let mut text = BASE64_STANDARD.encode(bytes);
    let mut at = 60;
    while at < text.len() {
        text.insert(at, '\n');
        at += 61;
    }
    text
}
