//! Accounts, repositories and commits as GitHub's API writes them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    git::{Commit, Signature},
    model::{Account, Permission, Repository},
    store::State,
};

/// Opaque, but stable: kind and number.
pub(crate) fn node_id(kind: &str, id: impl std::fmt::Display) -> String {
    BASE64_STANDARD.encode(format!("{kind}:{id}"))
}

/// The short form of a user that other objects contain.
pub(crate) fn account(app: &App, account: &Account) -> Value {
    let url = app.api(&format!("/users/{}", account.login));
    json!({
        "login": account.login,
        "id": account.id,
        "node_id": node_id("User", account.id),
        "avatar_url": app.url(&format!("/avatars/{}", account.id)),
        "gravatar_id": "",
        "url": url,
        "html_url": app.url(&format!("/{}", account.login)),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if account.organization { "Organization" } else { "User" },
        "site_admin": false,
    })
}

pub(crate) fn account_by_id(app: &App, state: &State, id: u64) -> Value {
    state.account(id).map_or(Value::Null, |found| account(app, found))
}

pub(crate) fn repository(app: &App, state: &State, repository: &Repository, permission: Permission) -> Value {
    let full_name = state.full_name(repository);
    let html = app.url(&format!("/{full_name}"));
    let api = app.api(&format!("/repos/{full_name}"));
    let mut object = json!({
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": full_name,
        "private": repository.private,
        "visibility": if repository.private { "private" } else { "public" },
        "owner": account_by_id(app, state, repository.owner),
        "description": (!repository.description.is_empty()).then_some(&repository.description),
        "default_branch": repository.default_branch,
        "url": api,
        "html_url": html,
        "clone_url": format!("{html}.git"),
        "git_url": format!("{html}.git").replacen("http", "git", 1),
        "ssh_url": format!("git@localhost:{full_name}.git"),
        "svn_url": html,
        "created_at": repository.created_at,
        "updated_at": repository.pushed_at,
        "pushed_at": repository.pushed_at,
        "permissions": {
            "admin": permission == Permission::Admin,
            "maintain": permission == Permission::Admin,
            "push": permission >= Permission::Push,
            "triage": permission >= Permission::Push,
            "pull": permission >= Permission::Pull,
        },
        "topics": [],
    });
    let fields = object.as_object_mut().expect("it is written as an object above");
    add_urls(fields, &api);
    add_counts(fields);
    object
}

fn add_urls(fields: &mut Map<String, Value>, api: &str) {
    let paths = [
        ("archive", "/{archive_format}{/ref}"),
        ("assignees", "/assignees{/user}"),
        ("blobs", "/git/blobs{/sha}"),
        ("branches", "/branches{/branch}"),
        ("collaborators", "/collaborators{/collaborator}"),
        ("comments", "/comments{/number}"),
        ("commits", "/commits{/sha}"),
        ("compare", "/compare/{base}...{head}"),
        ("contents", "/contents/{+path}"),
        ("contributors", "/contributors"),
        ("deployments", "/deployments"),
        ("downloads", "/downloads"),
        ("events", "/events"),
        ("forks", "/forks"),
        ("git_commits", "/git/commits{/sha}"),
        ("git_refs", "/git/refs{/sha}"),
        ("git_tags", "/git/tags{/sha}"),
        ("hooks", "/hooks"),
        ("issue_comment", "/issues/comments{/number}"),
        ("issue_events", "/issues/events{/number}"),
        ("issues", "/issues{/number}"),
        ("keys", "/keys{/key_id}"),
        ("labels", "/labels{/name}"),
        ("languages", "/languages"),
        ("merges", "/merges"),
        ("milestones", "/milestones{/number}"),
        ("notifications", "/notifications{?since,all,participating}"),
        ("pulls", "/pulls{/number}"),
        ("releases", "/releases{/id}"),
        ("stargazers", "/stargazers"),
        ("statuses", "/statuses/{sha}"),
        ("subscribers", "/subscribers"),
        ("subscription", "/subscription"),
        ("tags", "/tags"),
        ("teams", "/teams"),
        ("trees", "/git/trees{/sha}"),
    ];
    for (name, path) in paths {
        fields.insert(format!("{name}_url"), json!(format!("{api}{path}")));
    }
}

fn add_counts(fields: &mut Map<String, Value>) {
    for name in [
        "forks",
        "forks_count",
        "open_issues",
        "open_issues_count",
        "size",
        "stargazers_count",
        "watchers",
        "watchers_count",
    ] {
        fields.insert(name.to_owned(), json!(0));
    }
    for name in ["archived", "disabled", "fork", "has_pages", "has_wiki", "is_template"] {
        fields.insert(name.to_owned(), json!(false));
    }
    for name in ["has_downloads", "has_issues", "has_projects", "allow_forking"] {
        fields.insert(name.to_owned(), json!(true));
    }
    for name in ["homepage", "language", "license", "mirror_url"] {
        fields.insert(name.to_owned(), Value::Null);
    }
}

/// A commit as `/repos/{owner}/{repo}/commits/{ref}` gives it.
pub(crate) fn commit(app: &App, state: &State, full_name: &str, commit: &Commit) -> Value {
    let api = app.api(&format!("/repos/{full_name}"));
    let html = app.url(&format!("/{full_name}/commit"));
    let parents: Vec<Value> = commit.parents.iter().map(|parent| {
        json!({ "sha": parent, "url": format!("{api}/commits/{parent}"), "html_url": format!("{html}/{parent}") })
    }).collect();
    json!({
        "sha": commit.sha,
        "node_id": node_id("Commit", &commit.sha),
        "url": format!("{api}/commits/{}", commit.sha),
        "html_url": format!("{html}/{}", commit.sha),
        "comments_url": format!("{api}/commits/{}/comments", commit.sha),
        "commit": {
            "url": format!("{api}/git/commits/{}", commit.sha),
            "author": signature(&commit.author),
            "committer": signature(&commit.committer),
            "message": commit.message,
            "comment_count": 0,
            "tree": { "sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree) },
            "verification": { "verified": false, "reason": "unsigned", "payload": null, "signature": null },
        },
        "author": account_by_email(app, state, &commit.author.email),
        "committer": account_by_email(app, state, &commit.committer.email),
        "parents": parents,
    })
}

fn signature(signature: &Signature) -> Value {
    json!({ "name": signature.name, "email": signature.email, "date": signature.date })
}

fn account_by_email(app: &App, state: &State, email: &str) -> Value {
    let found = state.people().find(|person| person.email == email);
    found.map_or(Value::Null, |person| account(app, person))
}
