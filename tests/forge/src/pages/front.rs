//! Repositories, commits and files, so that links from elsewhere lead somewhere.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use askama::Template;

use crate::{
    app::App,
    git::{Commit, Found},
    model::{Account, Status},
    pages::{
        not_found, person, render,
        view::{View, may_see},
    },
};

const COMMITS_SHOWN: usize = 20;

struct Listed {
    full_name: String,
    private: bool,
    description: String,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    person: Option<Account>,
    others: Vec<Account>,
    repositories: Vec<Listed>,
}

/// `/`, and `/{owner}` with that owner's repositories
pub(crate) async fn home(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let owner = request.match_info().get("owner");
    let person = person(&app, &request);
    let page = app.read(|state| {
        let only = match owner {
            Some(login) => Some(state.account_named(login)?.id),
            None => None,
        };
        let visible = state.repositories.iter().filter(|repository| may_see(state, repository, person.as_ref()));
        let mut repositories: Vec<Listed> = visible
            .filter(|repository| only.is_none_or(|owner| owner == repository.owner))
            .map(|repository| Listed {
                full_name: state.full_name(repository),
                private: repository.private,
                description: repository.description.clone(),
            })
            .collect();
        repositories.sort_by(|one, other| one.full_name.cmp(&other.full_name));
        let here = person.as_ref().map(|person| person.id);
        let others = state.people().filter(|other| Some(other.id) != here).cloned().collect();
        Some(HomePage { person: person.clone(), others, repositories })
    });
    page.map_or_else(|| not_found("Nobody here has that name."), |page| render(&page))
}

struct Row {
    commit: Commit,
    statuses: Vec<Status>,
}

#[derive(Template)]
#[template(path = "repository.html")]
struct RepositoryPage {
    full_name: String,
    private: bool,
    description: String,
    clone_url: String,
    branch: String,
    branches: Vec<String>,
    tags: Vec<String>,
    files: Vec<String>,
    head: String,
    commits: Vec<Row>,
    hooks: usize,
}

/// `/{owner}/{repo}` and `/{owner}/{repo}/tree/{branch}`
pub(crate) async fn repository(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let Some(view) = View::open(&app, &request) else {
        return View::missing();
    };
    let refs = view.git.refs().unwrap_or_default();
    let names = |folder: &str| -> Vec<String> {
        refs.keys().filter_map(|name| name.strip_prefix(folder)).map(str::to_owned).collect()
    };
    let chosen = request.match_info().get("branch").filter(|name| !name.is_empty());
    let branch = chosen.unwrap_or(&view.repository.default_branch).to_owned();
    let head = view.git.resolve(&branch).unwrap_or_default();
    if head.is_empty() && chosen.is_some() {
        return View::missing();
    }
    let files = match view.git.look(&head, "") {
        Some(Found::Folder(entries)) => {
            entries.into_iter().filter(|entry| entry.kind == "blob").map(|entry| entry.path).collect()
        }
        _ => Vec::new(),
    };
    let log = if head.is_empty() { Vec::new() } else { view.git.log(&[&head], 0, COMMITS_SHOWN).unwrap_or_default() };
    let commits = log.into_iter().map(|commit| Row { statuses: view.statuses(&commit.sha), commit }).collect();
    render(&RepositoryPage {
        private: view.repository.private,
        description: view.repository.description.clone(),
        clone_url: app.url(&format!("/{}.git", view.full_name)),
        branches: names("refs/heads/"),
        tags: names("refs/tags/"),
        hooks: view.repository.hooks.len(),
        full_name: view.full_name,
        branch,
        files,
        head,
        commits,
    })
}

#[derive(Template)]
#[template(path = "commit.html")]
struct CommitPage {
    full_name: String,
    row: Row,
    patch: Vec<(&'static str, String)>,
}

/// `/{owner}/{repo}/commit/{sha}`
pub(crate) async fn commit(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let Some(view) = View::open(&app, &request) else {
        return View::missing();
    };
    let sha = view.git.resolve(request.match_info().query("sha"));
    let Some(commit) = sha.and_then(|sha| view.git.commit(&sha).ok()) else {
        return View::missing();
    };
    let patch = view.git.patch(&commit.sha).unwrap_or_default();
    let kind = |line: &str| match line.as_bytes().first() {
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "place",
        Some(b'd') => "file",
        _ => "",
    };
    let patch = patch.lines().map(|line| (kind(line), line.to_owned())).collect();
    let row = Row { statuses: view.statuses(&commit.sha), commit };
    render(&CommitPage { full_name: view.full_name, row, patch })
}

#[derive(Template)]
#[template(path = "blob.html")]
struct BlobPage {
    full_name: String,
    at: String,
    path: String,
    lines: Vec<String>,
    binary: bool,
    size: usize,
}

/// `/{owner}/{repo}/blob/{ref}/{path}`; `#L3` is line 3.
pub(crate) async fn blob(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let Some((view, bytes)) = file(&app, &request) else {
        return View::missing();
    };
    let text = String::from_utf8(bytes.clone()).ok().filter(|text| !text.contains('\0'));
    let parts = request.match_info();
    render(&BlobPage {
        full_name: view.full_name,
        at: parts.query("ref").to_owned(),
        path: parts.query("path").to_owned(),
        binary: text.is_none(),
        lines: text.unwrap_or_default().lines().map(str::to_owned).collect(),
        size: bytes.len(),
    })
}

/// `/{owner}/{repo}/raw/{ref}/{path}`
pub(crate) async fn raw(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let Some((_, bytes)) = file(&app, &request) else {
        return View::missing();
    };
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("x-content-type-options", "nosniff"))
        .body(bytes)
}

fn file(app: &App, request: &HttpRequest) -> Option<(View, Vec<u8>)> {
    let view = View::open(app, request)?;
    let commit = view.git.resolve(request.match_info().query("ref"))?;
    let Found::File(entry) = view.git.look(&commit, request.match_info().query("path"))? else {
        return None;
    };
    let bytes = view.git.blob(&entry.sha).ok()?;
    Some((view, bytes))
}

/// A coloured square with the first letter of a login.
pub(crate) async fn avatar(app: Data<App>, id: Path<u64>) -> HttpResponse {
    let login = app.read(|state| state.account(*id).map(|account| account.login.clone()));
    let letter = login.and_then(|login| login.chars().next()).filter(char::is_ascii_alphanumeric).unwrap_or('?');
    let hue = *id * 137 % 360;
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 40\"><rect width=\"40\" height=\"40\" \
         fill=\"hsl({hue} 45% 42%)\"/><text x=\"20\" y=\"27\" font-family=\"sans-serif\" font-size=\"20\" \
         text-anchor=\"middle\" fill=\"#fff\">{}</text></svg>",
        letter.to_ascii_uppercase()
    );
    HttpResponse::Ok().content_type("image/svg+xml").insert_header(("cache-control", "max-age=3600")).body(svg)
}
