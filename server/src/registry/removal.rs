//! Removing what a repository held, after it lost its name: by a job, in small transactions.
//!
//! What is gone stays gone and what is left is found again, so a job that breaks off goes on where it was.

use super::objects;
use crate::app::App;
use crate::db::{self, Protection, RepositoryState, Tx, rows};
use crate::error::{Error, Result};
use crate::jobs::{self, Task, Turn};
use crate::policy::{BUILD_CACHE, build_cache};
use uuid::Uuid;

/// Rows of one transaction: a few milliseconds of SQLite's only writer.
pub const ROWS: u64 = 500;
/// Repositories whose removal is asked for again at once.
const AT_ONCE: u64 = 1_000;

/// Takes the name of a repository and of its build cache, and has a job remove the rest; false when it is not as it was
/// seen. Stages of a private source must not stay reachable through a name that nobody owns any more.
pub async fn begin(app: &App, tx: &Tx, seen: &rows::Repository) -> Result<bool> {
    if !db::repositories::begin_deletion(tx, seen.id, seen.state).await? {
        return Ok(false);
    }
    ask(app, tx, seen.id).await?;
    let Some(namespace) = db::namespaces::find_by_name(tx, BUILD_CACHE).await? else { return Ok(true) };
    for protection in [Protection::Protected, Protection::Unprotected] {
        let name = build_cache(seen.id, protection);
        let name = name.trim_start_matches(BUILD_CACHE).trim_start_matches('/');
        if let Some(cache) = db::repositories::find_by_name(tx, namespace.id, name).await? {
            begin_one(app, tx, &cache).await?;
        }
    }
    Ok(true)
}

async fn begin_one(app: &App, tx: &Tx, seen: &rows::Repository) -> Result<()> {
    if db::repositories::begin_deletion(tx, seen.id, seen.state).await? {
        ask(app, tx, seen.id).await?;
    }
    Ok(())
}

/// Removes the build caches of the version before, which all refs of a repository shared: nobody can say who wrote what
/// is in them, so no build may read them.
pub async fn forget_shared_caches(app: &App) -> Result<()> {
    let Some(namespace) = db::namespaces::find_by_name(&app.db, BUILD_CACHE).await? else { return Ok(()) };
    for cache in db::repositories::of_one_part(&app.db, namespace.id).await? {
        let tx = app.db.begin().await?;
        begin_one(app, &tx, &cache).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Has the removal gone on with, behind those that wait.
pub async fn ask_again(app: &App, repository_id: Uuid) -> Result<()> {
    let tx = app.db.begin().await?;
    ask(app, &tx, repository_id).await?;
    tx.commit().await
}

async fn ask(app: &App, tx: &Tx, repository_id: Uuid) -> Result<()> {
    let task = Task::RemoveRepository { repository_id };
    jobs::enqueue(app, tx, &task, Some(format!("remove-repository:{repository_id}"))).await
}

/// Asks again for the removal of what no job is about to remove: one may have given up.
pub async fn go_on(app: &App) -> Result<()> {
    let left = db::repositories::deleting(&app.db, AT_ONCE).await?;
    if left.is_empty() {
        return Ok(());
    }
    let asked = jobs::open(app, &Task::RemoveRepository { repository_id: Uuid::nil() }).await?;
    for repository_id in left {
        if !asked.contains(&Task::RemoveRepository { repository_id }) {
            ask_again(app, repository_id).await?;
        }
    }
    Ok(())
}

/// The repository, if it is there and being deleted.
pub async fn find(app: &App, repository_id: Uuid) -> Result<Option<rows::Repository>> {
    let found = db::repositories::find_in_any_state(&app.db, repository_id).await?;
    Ok(found.filter(|row| row.state == RepositoryState::Deleting))
}

/// Removes uploads, tags, moves, manifests and links. Of blobs nothing goes: other repositories may link them. False when
/// the turn is over before all are gone.
pub async fn content(app: &App, repository_id: Uuid, turn: &mut Turn) -> Result<bool> {
    loop {
        if !turn.has_piece(app) {
            return Ok(false);
        }
        let tx = app.db.begin().await?;
        // Who writes to one of them notices within its lease.
        let gone = db::removal::uploads(&tx, repository_id, ROWS, objects::kept_until(app)).await?;
        tx.commit().await?;
        if gone == 0 {
            break;
        }
    }
    while turn.has_piece(app) {
        if piece(app, repository_id).await? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn piece(app: &App, repository_id: Uuid) -> Result<u64> {
    let tx = app.db.begin().await?;
    let gone = db::removal::content(&tx, repository_id, ROWS).await?;
    tx.commit().await?;
    Ok(gone)
}

/// Removes the row itself; an error when something came in meanwhile, and the job has to begin again.
pub async fn end(app: &App, repository_id: Uuid) -> Result<()> {
    let tx = app.db.begin().await?;
    if !db::removal::repository(&tx, repository_id).await? {
        return Err(Error::Unavailable("something came into the repository while it was being removed".into()));
    }
    tx.commit().await
}
