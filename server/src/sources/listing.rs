//! What a person may import: the forge's list, kept in a table and searched there, with the Dockerfiles found.

mod age;
mod unapproved;

pub(super) use age::still_counts;
pub use unapproved::{approval_url, unapproved};

use super::{dockerfiles, privacy};
use crate::app::App;
use crate::clock::Millis;
use crate::db::{self, ScanState, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{Forge, RemoteRepository};
use crate::jobs::{self, Task};
use crate::names::RepositoryName;
use crate::policy::{Allowed, UseAccount};
use std::collections::HashMap;
use uuid::Uuid;

/// Rows of one page of the list.
pub const PAGE: u64 = 30;
/// 10,000 repositories: GitHub's own interface does not list more.
const MOST_PAGES: usize = 100;

/// The person's connections, with the identity that each belongs to.
pub async fn connections(app: &App, allowed: &Allowed<UseAccount>) -> Result<Vec<(rows::Identity, rows::Connection)>> {
    let Some(user) = allowed.principal().user_id() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for identity in db::users::identities_of(&app.db, user).await? {
        if let Some(connection) = db::users::connection_of_identity(&app.db, identity.id).await? {
            found.push((identity, connection));
        }
    }
    Ok(found)
}

/// One page (from 1) of what the connection may import, most recently pushed first, and how many match in all.
/// The connection is one of `connections`.
pub async fn search(
    app: &App,
    connection_id: Uuid,
    text: &str,
    page: u64,
) -> Result<(Vec<rows::ForgeRepository>, u64)> {
    // PostgreSQL takes no NUL.
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(200).collect();
    let offset = page.clamp(1, 10_000).saturating_sub(1) * PAGE;
    let found = db::sources::listing::search(&app.db, connection_id, &text, offset, PAGE).await?;
    scan_soon(app, connection_id, &found.0).await?;
    Ok(found)
}

/// Those further down a long list are scanned when somebody looks at them.
async fn scan_soon(app: &App, connection_id: Uuid, shown: &[rows::ForgeRepository]) -> Result<()> {
    let pending = shown.iter().filter(|r| r.scan_state == ScanState::Pending);
    let mut only: Vec<Uuid> = pending.map(|r| r.id).collect();
    if only.is_empty() {
        return Ok(());
    }
    // Pages look every two seconds: what a job has before it, however often it fails, is not asked for again.
    for task in jobs::open(app, &Task::ScanRepositories { connection_id, only: Vec::new() }).await? {
        if let Task::ScanRepositories { only: asked, .. } = task {
            only.retain(|id| !asked.contains(id));
        }
    }
    let Some(first) = only.first() else { return Ok(()) };
    let key = format!("scan:{connection_id}:{first}");
    let tx = app.db.begin().await?;
    jobs::enqueue(app, &tx, &Task::ScanRepositories { connection_id, only }, Some(key)).await?;
    tx.commit().await
}

/// A listed repository of one of the person's own connections.
pub async fn find(
    app: &App,
    allowed: &Allowed<UseAccount>,
    id: Uuid,
) -> Result<(rows::ForgeRepository, rows::Identity, rows::Connection)> {
    let absent = || Error::not_found("this code repository");
    let row = db::sources::listing::find(&app.db, id).await?.ok_or_else(absent)?;
    let own = connections(app, allowed).await?.into_iter().find(|(_, c)| c.id == row.connection_id);
    let (identity, connection) = own.ok_or_else(absent)?;
    Ok((row, identity, connection))
}

/// A repository that a Dockerfile fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    pub repository: RepositoryName,
    /// Its path in the code repository.
    pub dockerfile: String,
}

/// What those of `listed` fill already, in namespaces where the person has a role, by their remote id.
pub async fn imported(
    app: &App,
    allowed: &Allowed<UseAccount>,
    forge_url: &str,
    listed: &[rows::ForgeRepository],
) -> Result<HashMap<String, Vec<Filled>>> {
    let Some(user) = allowed.principal().user_id() else { return Ok(HashMap::new()) };
    let namespaces: HashMap<Uuid, rows::Namespace> =
        db::namespaces::of_user(&app.db, user).await?.into_iter().map(|(n, _)| (n.id, n)).collect();
    let remotes = listed.iter().map(|r| r.remote_id.as_str());
    let sources = db::sources::of_remotes(&app.db, namespaces.keys().copied(), forge_url, remotes).await?;
    let mut found: HashMap<String, Vec<Filled>> = HashMap::new();
    for source in sources {
        let namespace = namespaces[&source.namespace_id].name.parse()?;
        for rule in db::sources::rules_of(&app.db, source.id).await? {
            let Some(row) = db::repositories::find(&app.db, rule.repository_id).await? else { continue };
            let repository = RepositoryName::new(&namespace, &row.name)?;
            let filled = Filled { repository, dockerfile: rule.dockerfile };
            found.entry(source.remote_id.clone()).or_default().push(filled);
        }
    }
    Ok(found)
}

/// Asks the forge again, in the background; how it failed before is forgotten.
pub async fn refresh(app: &App, connection_id: Uuid) -> Result<()> {
    let tx = app.db.begin().await?;
    db::users::set_listing(&tx, connection_id, None, None).await?;
    jobs::list_repositories(app, &tx, connection_id).await?;
    tx.commit().await
}

/// Fetches the whole list, page by page.
pub async fn fetch(app: &App, connection: &rows::Connection, forge: &Forge) -> Result<()> {
    let began = app.clock.now();
    for page in 1..=MOST_PAGES {
        let found = forge.repositories(page).await?;
        let tx = app.db.begin().await?;
        let private: Vec<&str> = found.items.iter().filter(|r| r.is_private).map(|r| r.id.as_str()).collect();
        privacy::note_listed(app, &tx, forge.url(), &private).await?;
        let rows = found.items.into_iter().map(|r| row(connection.id, r, app.clock.now())).collect();
        db::sources::listing::put_page(&tx, connection.id, rows).await?;
        tx.commit().await?;
        app.wake.changed(connection.id);
        if found.is_last {
            break;
        }
    }
    let unapproved = unapproved::find(app, connection, forge).await?;
    let tx = app.db.begin().await?;
    db::sources::listing::drop_unseen(&tx, connection.id, began).await?;
    db::users::set_listing(&tx, connection.id, Some(app.clock.now()), None).await?;
    if let Some(unapproved) = unapproved {
        unapproved::note(app, &tx, connection, &unapproved).await?;
    }
    let task = Task::ScanRepositories { connection_id: connection.id, only: Vec::new() };
    jobs::enqueue(app, &tx, &task, Some(format!("scan:{}", connection.id))).await?;
    tx.commit().await?;
    app.wake.changed(connection.id);
    Ok(())
}

fn row(connection_id: Uuid, remote: RemoteRepository, now: Millis) -> rows::ForgeRepository {
    rows::ForgeRepository {
        id: Uuid::now_v7(),
        connection_id,
        remote_id: remote.id,
        full_name: remote.full_name,
        owner_id: remote.owner.id,
        owner_login: remote.owner.login,
        owner_kind: remote.owner.kind.as_str().to_owned(),
        is_private: remote.is_private,
        can_admin: remote.can_admin,
        default_branch: remote.default_branch,
        html_url: remote.html_url,
        clone_url: remote.clone_url,
        pushed_at: remote.pushed_at,
        dockerfiles: "[]".to_owned(),
        scan_state: ScanState::Pending,
        listed_at: now,
    }
}

/// Finds the Dockerfiles at the default branch and keeps them with the row; `None` where the forge does not list files.
pub async fn scan(app: &App, forge: &Forge, listed: &rows::ForgeRepository) -> Result<Option<Vec<String>>> {
    let found = match forge.tree(&listed.remote_id, &listed.default_branch).await {
        Ok(tree) => Some(dockerfiles::find(&tree.files)),
        // No commit yet (404 or 409), or gone since; where there is a branch, the list itself is refused.
        Err(ForgeError::NotFound | ForgeError::Refused(_)) => {
            match forge.branch_head(&listed.remote_id, &listed.default_branch).await {
                Ok(_) => None,
                Err(ForgeError::NotFound | ForgeError::Refused(_)) => Some(Vec::new()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(error @ (ForgeError::Revoked | ForgeError::RateLimited(_) | ForgeError::Unreachable(_))) => {
            return Err(error.into());
        }
        Err(ForgeError::NotApproved) => None,
    };
    let state = if found.is_some() { ScanState::Done } else { ScanState::Failed };
    scanned(app, listed, state, found.as_deref().unwrap_or_default()).await?;
    Ok(found)
}

/// Notes that the files of a listed repository could not be listed, though those of others could.
pub async fn give_up_scan(app: &App, listed: &rows::ForgeRepository) -> Result<()> {
    scanned(app, listed, ScanState::Failed, &[]).await
}

async fn scanned(app: &App, listed: &rows::ForgeRepository, state: ScanState, found: &[String]) -> Result<()> {
    let tx = app.db.begin().await?;
    let list = serde_json::to_string(found).expect("a list of texts");
    db::sources::listing::set_scanned(&tx, listed.id, state, list).await?;
    tx.commit().await?;
    app.wake.changed(listed.connection_id);
    Ok(())
}

/// The Dockerfiles of a listed repository, the one in the root first.
pub fn dockerfiles_of(listed: &rows::ForgeRepository) -> Vec<String> {
    serde_json::from_str(&listed.dockerfiles).unwrap_or_default()
}

/// A connection as it is now.
pub async fn connection(app: &App, id: Uuid) -> Result<rows::Connection> {
    db::users::find_connection(&app.db, id).await?.ok_or_else(|| Error::not_found("this connection"))
}

/// Whether the Dockerfiles of the first page are known; others are looked for when somebody looks at them.
pub async fn is_scanned(app: &App, connection_id: Uuid) -> Result<bool> {
    let (first, _) = db::sources::listing::search(&app.db, connection_id, "", 0, PAGE).await?;
    Ok(first.iter().all(|r| r.scan_state != ScanState::Pending))
}

/// Where an image of a listed repository would go, as far as names are free.
pub fn likely_target(listed: &rows::ForgeRepository) -> String {
    let name = listed.full_name.rsplit('/').next().unwrap_or_default();
    format!("{}/{}", crate::names::NamespaceName::near(&listed.owner_login), RepositoryName::near(name))
}
