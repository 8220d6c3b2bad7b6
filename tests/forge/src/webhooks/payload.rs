//! The bodies of `push`, `create`, `delete` and `repository` events.

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    api::shapes,
    app::App,
    git::{Commit, Git, Signature},
    model::{Account, Permission, Repository, epoch},
    pushes::RefChange,
    store::State,
};

pub(crate) const ZERO: &str = "0000000000000000000000000000000000000000";
/// GitHub lists at most 2,048 commits; a forge for tests can do with fewer.
const COMMITS_AT_MOST: usize = 256;

/// A repository as push events write it: times are numbers, the owner has name and e-mail.
pub(crate) fn repository(app: &App, state: &State, repository: &Repository) -> Value {
    let mut body = shapes::repository(app, state, repository, Permission::None);
    if let Some(fields) = body.as_object_mut() {
        fields.remove("permissions");
    }
    if let Some(owner) = state.account(repository.owner) {
        body["owner"]["name"] = json!(owner.login);
        body["owner"]["email"] = json!(owner.email);
    }
    body["url"] = body["html_url"].clone();
    body["created_at"] = json!(epoch(&repository.created_at));
    body["pushed_at"] = json!(epoch(&repository.pushed_at));
    body["stargazers"] = json!(0);
    body["master_branch"] = json!(repository.default_branch);
    body
}

pub(crate) fn push(app: &App, git: &Git, found: &Repository, pusher: &Account, change: &RefChange) -> Result<Value> {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let commits = match (before, after) {
        (_, Some(after)) if change.is_branch() => new_commits(git, change, after)?,
        _ => Vec::new(),
    };
    let head = after.and_then(|after| git.peel(after)).map(|sha| git.commit(&sha)).transpose()?;
    let forced = match (before, after) {
        (Some(before), Some(after)) => !git.is_ancestor(before, after),
        _ => false,
    };
    Ok(app.read(|state| {
        let html = app.url(&format!("/{}", state.full_name(found)));
        let shape = |commit: &Commit| commit_shape(git, state, &html, commit);
        let mut body = json!({
            "ref": change.name,
            "before": before.unwrap_or(ZERO),
            "after": after.unwrap_or(ZERO),
            "repository": repository(app, state, found),
            "pusher": { "name": pusher.login, "email": pusher.email },
            "sender": shapes::account(app, pusher),
            "created": before.is_none(),
            "deleted": after.is_none(),
            "forced": forced,
            "base_ref": base_ref(git, change),
            "compare": compare(&html, change, &commits),
            "commits": commits.iter().map(&shape).collect::<Vec<_>>(),
            "head_commit": head.as_ref().map(&shape),
        });
        add_organization(app, state, found, &mut body);
        body
    }))
}

/// The `create` event of a new ref, or the `delete` event of one that went.
pub(crate) fn create_or_delete(app: &App, found: &Repository, pusher: &Account, change: &RefChange) -> Value {
    app.read(|state| {
        let mut body = json!({
            "ref": change.short_name(),
            "ref_type": if change.is_branch() { "branch" } else { "tag" },
            "pusher_type": "user",
            "repository": shapes::repository(app, state, found, Permission::None),
            "sender": shapes::account(app, pusher),
        });
        if change.after.is_some() {
            body["master_branch"] = json!(found.default_branch);
            body["description"] = json!((!found.description.is_empty()).then_some(&found.description));
        }
        add_organization(app, state, found, &mut body);
        body
    })
}

/// The `repository` event, of something that its owner did to it.
pub(crate) fn about(app: &App, found: &Repository, action: &str) -> Value {
    app.read(|state| {
        let mut body = json!({
            "action": action,
            "repository": shapes::repository(app, state, found, Permission::None),
            "sender": shapes::account_by_id(app, state, found.owner),
        });
        add_organization(app, state, found, &mut body);
        body
    })
}

fn add_organization(app: &App, state: &State, repository: &Repository, body: &mut Value) {
    if let Some(owner) = state.account(repository.owner).filter(|owner| owner.organization) {
        let url = app.api(&format!("/orgs/{}", owner.login));
        body["organization"] = json!({
            "login": owner.login, "id": owner.id, "node_id": shapes::node_id("Organization", owner.id), "url": url,
            "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"), "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": app.url(&format!("/avatars/{}", owner.id)), "description": "",
        });
    }
}

/// Oldest first. For a new branch: what no branch had before.
fn new_commits(git: &Git, change: &RefChange, after: &str) -> Result<Vec<Commit>> {
    let mut revisions = vec![after.to_owned(), "--not".to_owned()];
    match &change.before {
        Some(before) => revisions.push(before.clone()),
        None => revisions.extend(change.known.iter().cloned()),
    }
    let revisions: Vec<&str> = revisions.iter().map(String::as_str).collect();
    let mut commits = git.log(&revisions, 0, COMMITS_AT_MOST)?;
    commits.reverse();
    Ok(commits)
}

/// The branch that a new ref starts from, if one points at the same commit.
fn base_ref(git: &Git, change: &RefChange) -> Option<String> {
    let after = change.after.as_deref().filter(|_| change.before.is_none())?;
    let commit = git.peel(after)?;
    let refs = git.refs().ok()?;
    let is_base =
        |(name, sha): &(&String, &String)| name.starts_with("refs/heads/") && **name != change.name && **sha == commit;
    refs.iter().find(is_base).map(|(name, _)| name.clone())
}

fn compare(html: &str, change: &RefChange, commits: &[Commit]) -> String {
    let short = |sha: &str| sha[..12].to_owned();
    match (&change.before, &change.after, commits) {
        (Some(before), Some(after), _) => {
            format!("{html}/compare/{}...{}", short(before), short(after))
        }
        (Some(before), None, _) => format!("{html}/compare/{}...{}", short(before), short(ZERO)),
        (_, _, [first, .., last]) => format!("{html}/compare/{}^...{}", short(&first.sha), short(&last.sha)),
        (_, _, [only]) => format!("{html}/commit/{}", short(&only.sha)),
        _ => format!("{html}/compare/{}", change.short_name()),
    }
}

fn commit_shape(git: &Git, state: &State, html: &str, commit: &Commit) -> Value {
    let [added, removed, modified] = git.changed_files(&commit.sha).unwrap_or_default();
    json!({
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": true,
        "message": commit.message,
        "timestamp": commit.committer.date,
        "url": format!("{html}/commit/{}", commit.sha),
        "author": signature(state, &commit.author),
        "committer": signature(state, &commit.committer),
        "added": added,
        "removed": removed,
        "modified": modified,
    })
}

fn signature(state: &State, signature: &Signature) -> Value {
    let mut body = json!({ "name": signature.name, "email": signature.email, "date": signature.date });
    if let Some(person) = state.people().find(|person| person.email == signature.email) {
        body["username"] = json!(person.login);
    }
    body
}
