//! Repositories that a push makes: provisional until their first manifest is there.

use super::removal;
use super::uploads::bounds;
use crate::app::App;
use crate::db::rows;
use crate::db::{self, NamespaceKind, RepositoryState, Tx, Visibility};
use crate::error::{Error, OciCode, Result};
use crate::names::{RepositoryName, is_reserved};
use crate::policy::{
    self, AdministerRepository, Allowed, BUILD_CACHE, Bound, Principal, PullImage, PushImage, RepositoryAccess,
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The repository that a push is for, whether it exists or would be made; `None` when there is no such namespace.
/// Asking writes nothing: `ensure` makes what is missing once the push is allowed.
pub async fn for_push(app: &App, principal: &Principal, name: &RepositoryName) -> Result<Option<RepositoryAccess>> {
    if let Some(found) = crate::auth::extract::repository_access(app, principal, name).await? {
        return Ok(Some(found));
    }
    let namespace_id = match db::namespaces::find_by_name(&app.db, name.namespace.as_str()).await? {
        Some(namespace) => namespace.id,
        None if name.namespace.as_str() == BUILD_CACHE => Uuid::nil(),
        None if is_reserved(name.namespace.as_str()) => {
            let text = format!("`{}` is a reserved word; push to a namespace of yours", name.namespace);
            return Err(Error::registry(OciCode::NameInvalid, text));
        }
        None => return Ok(None),
    };
    let role = match principal.user_id() {
        Some(user) => db::namespaces::role_of(&app.db, namespace_id, user).await?,
        None => None,
    };
    Ok(Some(RepositoryAccess {
        id: Uuid::nil(),
        namespace_id,
        name: name.clone(),
        visibility: Visibility::Private,
        is_live: false,
        role,
    }))
}

/// The namespace of build caches; made by the first build that pushes there.
async fn cache_namespace(app: &App) -> Result<Uuid> {
    if let Some(found) = db::namespaces::find_by_name(&app.db, BUILD_CACHE).await? {
        return Ok(found.id);
    }
    let row = rows::Namespace {
        id: Uuid::now_v7(),
        name: BUILD_CACHE.to_owned(),
        kind: NamespaceKind::Local,
        forge_url: None,
        forge_account_id: None,
        created_at: app.clock.now(),
    };
    let tx = app.db.begin().await?;
    if let Some(found) = db::namespaces::find_by_name(&tx, BUILD_CACHE).await? {
        return Ok(found.id);
    }
    match db::namespaces::insert(&tx, row).await {
        Ok(made) => {
            tx.commit().await?;
            Ok(made.id)
        }
        Err(Error::Conflict(why)) => {
            drop(tx);
            let found = db::namespaces::find_by_name(&app.db, BUILD_CACHE).await?;
            found.map(|found| found.id).ok_or(Error::Conflict(why))
        }
        Err(error) => Err(error),
    }
}

/// The row to push into; made provisional, and private, when it is absent.
pub async fn ensure(app: &App, allowed: &Allowed<PushImage>) -> Result<rows::Repository> {
    let on = allowed.on();
    let by = allowed.principal();
    let namespace_id = if on.namespace_id.is_nil() { cache_namespace(app).await? } else { on.namespace_id };
    if let Some(found) = db::repositories::find_by_name(&app.db, namespace_id, &on.name.name).await? {
        return Ok(found);
    }
    let now = app.clock.now();
    let row = rows::Repository {
        id: Uuid::now_v7(),
        namespace_id,
        name: on.name.name.clone(),
        visibility: Visibility::Private,
        state: RepositoryState::Provisional,
        description: None,
        next_build_number: 1,
        created_at: now,
        updated_at: now,
        maker_kind: Some(by.kind()),
        maker_id: by.id(),
    };
    let tx = app.db.begin().await?;
    // Two layers of a first push come at once: the second finds what the first made.
    if let Some(found) = db::repositories::find_by_name(&tx, namespace_id, &on.name.name).await? {
        return Ok(found);
    }
    bounds::one_more_repository(app, &tx, (by.kind(), by.id())).await?;
    // Each repository has two build caches, which go with it.
    if let Some(namespace) = db::namespaces::find(&tx, namespace_id).await?.filter(|n| n.name != BUILD_CACHE) {
        db::repositories::check_number(&tx, &namespace, app.config.repositories_per_namespace).await?;
    }
    match db::repositories::insert(&tx, row).await {
        Ok(made) => {
            tx.commit().await?;
            Ok(made)
        }
        // On PostgreSQL they look at the same time, and the second one meets the first one's row only here.
        Err(Error::Conflict(why)) => {
            drop(tx);
            let found = db::repositories::find_by_name(&app.db, namespace_id, &on.name.name).await?;
            found.ok_or(Error::Conflict(why))
        }
        Err(error) => Err(error),
    }
}

/// The first manifest is there: from now on the repository exists.
pub async fn make_live(app: &App, tx: &Tx, by: &Principal, repository: &rows::Repository, title: &str) -> Result<()> {
    if repository.state == RepositoryState::Live {
        return Ok(());
    }
    let now = app.clock.now();
    if db::repositories::make_live(tx, repository.id, now).await? {
        let event = db::events::NewEvent {
            kind: "repository.created",
            namespace_id: Some(repository.namespace_id),
            repository_id: Some(repository.id),
            subject: title.to_owned(),
            cause: Some("push".to_owned()),
            body: serde_json::json!({"visibility": repository.visibility}),
        };
        db::events::add(tx, by, event, now).await?;
    }
    Ok(())
}

/// Full names of the live repositories that a principal may pull, after `after`, in byte order. A bearer that was made
/// for some repositories lists no other.
pub async fn visible_names(app: &App, principal: &Principal, after: &str, limit: u64) -> Result<Vec<String>> {
    let Bound::Registry { access, catalog: false } = &principal.bound else {
        return db::catalog::visible_names(&app.db, principal.user_id(), after, limit).await;
    };
    let named: BTreeSet<&str> = access.iter().map(|a| a.name.as_str()).filter(|name| *name > after).collect();
    let mut visible = Vec::new();
    for name in named {
        if visible.len() as u64 == limit {
            break;
        }
        let Ok(parsed) = name.parse::<RepositoryName>() else { continue };
        let found = crate::auth::extract::repository_access(app, principal, &parsed).await?;
        let is_listed = |on: &RepositoryAccess| {
            on.is_live && on.name.namespace.as_str() != BUILD_CACHE && policy::may::<PullImage>(principal, on)
        };
        if found.as_ref().is_some_and(is_listed) {
            visible.push(name.to_owned());
        }
    }
    Ok(visible)
}

/// How many tags (without accessories) and builds a repository has.
pub async fn counts(app: &App, repository_id: Uuid) -> Result<(u64, u64)> {
    let tags = db::tags::count(&app.db, repository_id, "").await?;
    let builds = db::builds::count(&app.db, repository_id).await?;
    Ok((tags, builds))
}

/// Bytes of the blobs that a repository links: its own, and those that others of its namespace link too, as far as the
/// asker may see these.
pub async fn storage(app: &App, principal: &Principal, on: &RepositoryAccess) -> Result<(i64, i64)> {
    let Some(repository) = db::repositories::find(&app.db, on.id).await? else { return Ok((0, 0)) };
    db::blobs::sizes(&app.db, &repository, on.role.is_some() || principal.is_site_admin()).await
}

/// Bytes of the blobs that the repositories of a namespace link, each counted once: of all of them, or of the public ones.
pub async fn storage_of_namespace(app: &App, namespace_id: Uuid, all: bool) -> Result<i64> {
    db::blobs::size_of_namespace(&app.db, namespace_id, all).await
}

/// Deletes a repository with its tags, builds, logs and build cache. From here on nobody sees it, and its name is free;
/// a job removes its rows and files. Blobs are the collector's business.
pub async fn delete(app: &App, allowed: &Allowed<AdministerRepository>) -> Result<()> {
    let on = allowed.on();
    let tx = app.db.begin().await?;
    let gone = || Error::not_found(format!("repository `{}`", on.name));
    let row = db::repositories::find(&tx, on.id).await?.ok_or_else(gone)?;
    if !removal::begin(app, &tx, &row).await? {
        return Err(gone());
    }
    let event = db::events::NewEvent {
        kind: "repository.deleted",
        namespace_id: Some(on.namespace_id),
        repository_id: Some(on.id),
        subject: on.name.to_string(),
        cause: None,
        body: serde_json::json!({}),
    };
    db::events::add(&tx, allowed.principal(), event, app.clock.now()).await?;
    tx.commit().await?;
    app.wake.changed(on.id);
    Ok(())
}
