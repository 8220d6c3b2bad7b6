//! Namespaces: who owns which name, and what their repositories show.

#[cfg(test)]
mod tests;
pub mod visibility;

use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, NamespaceKind, Role, Tx, rows};
use crate::error::{Error, Result};
use crate::names::{NamespaceName, RepositoryName, is_reserved};
use crate::policy::{Allowed, Principal, ReadNamespace, UseAccount};
use serde_json::json;
use uuid::Uuid;

/// The one reserved word that an operator may take: mirrors of Docker Hub ask for `library/…`.
const LIBRARY: &str = "library";

/// Makes a namespace that belongs to no account of a forge; `owner` becomes its admin.
/// `by_operator` allows `library`, which nobody else may take.
pub async fn create(
    app: &App,
    tx: &Tx,
    by: &Principal,
    name: &NamespaceName,
    owner: &rows::User,
    by_operator: bool,
) -> Result<rows::Namespace> {
    if is_reserved(name.as_str()) && !(by_operator && name.as_str() == LIBRARY) {
        return Err(Error::invalid(format!("the name `{name}` is reserved; take another one")));
    }
    let now = app.clock.now();
    if db::namespaces::find_by_name(tx, name.as_str()).await?.is_some() {
        return Err(Error::Conflict(format!("the name `{name}` is taken")));
    }
    let row = rows::Namespace {
        id: Uuid::now_v7(),
        name: name.to_string(),
        kind: NamespaceKind::Local,
        forge_url: None,
        forge_account_id: None,
        created_at: now,
    };
    let namespace = db::namespaces::insert(tx, row).await?;
    let grant = rows::Grant::given(namespace.id, owner.id, Role::Admin, now);
    db::namespaces::insert_grant(tx, grant).await?;
    let event = NewEvent {
        kind: "namespace.created",
        namespace_id: Some(namespace.id),
        repository_id: None,
        subject: namespace.name.clone(),
        cause: None,
        body: json!({"owner": owner.name, "kind": NamespaceKind::Local}),
    };
    db::events::add(tx, by, event, now).await?;
    Ok(namespace)
}

/// Gives a person this role, or none; the next request sees it. The role before is returned.
pub async fn set_role(
    app: &App,
    tx: &Tx,
    by: &Principal,
    namespace: &rows::Namespace,
    user: &rows::User,
    role: Option<Role>,
) -> Result<Option<Role>> {
    let before = db::namespaces::role_of(tx, namespace.id, user.id).await?;
    if before == role {
        return Ok(before);
    }
    let now = app.clock.now();
    db::namespaces::set_role(tx, namespace.id, user.id, role, now).await?;
    let event = NewEvent {
        kind: "namespace.role_changed",
        namespace_id: Some(namespace.id),
        repository_id: None,
        subject: namespace.name.clone(),
        cause: None,
        body: json!({"user": user.name, "from": before, "to": role}),
    };
    db::events::add(tx, by, event, now).await?;
    Ok(before)
}

/// Names of some who manage a namespace, whom others can ask.
pub async fn managers(app: &App, namespace_id: Uuid) -> Result<Vec<String>> {
    db::namespaces::managers(&app.db, namespace_id, 3).await
}

/// The name of the namespace that is a person's own: bound to its account at a forge, or made here under its name.
pub async fn own(app: &App, user_id: Uuid) -> Result<Option<String>> {
    for identity in db::users::identities_of(&app.db, user_id).await? {
        let bound = db::namespaces::find_by_account(&app.db, &identity.forge_url, &identity.remote_id).await?;
        if let Some(namespace) = bound {
            return Ok(Some(namespace.name));
        }
    }
    let Some(user) = db::users::find(&app.db, user_id).await? else { return Ok(None) };
    let mine = db::namespaces::of_user(&app.db, user_id).await?.into_iter().map(|(namespace, _)| namespace);
    Ok(mine.filter(|n| n.kind == NamespaceKind::Local && n.name == user.name).map(|n| n.name).next())
}

/// Whether a person is an admin somewhere.
pub async fn administers_any(app: &App, user_id: Uuid) -> Result<bool> {
    db::namespaces::administers_any(&app.db, user_id).await
}

/// Whether the asker sees all repositories of a namespace, or the public ones.
pub fn sees_all(allowed: &Allowed<ReadNamespace>) -> bool {
    allowed.on().role.is_some() || allowed.principal().is_site_admin()
}

/// Some of the live repositories of a namespace that the asker may see and whose name holds `part`, by name or the last
/// changed first; and how many there are of them.
pub async fn page(
    app: &App,
    allowed: &Allowed<ReadNamespace>,
    part: &str,
    by_name: bool,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::Repository>, u64)> {
    let (id, all) = (allowed.on().id, sees_all(allowed));
    let total = db::repositories::count_listed(&app.db, id, all, part).await?;
    Ok((db::repositories::page(&app.db, (id, all), part, by_name, offset, limit).await?, total))
}

/// How many live repositories of a namespace the asker may see.
pub async fn count(app: &App, allowed: &Allowed<ReadNamespace>) -> Result<u64> {
    db::repositories::count_listed(&app.db, allowed.on().id, sees_all(allowed), "").await
}

/// The live repositories that changed last in all namespaces in which the asker has a role, with the namespace's name.
pub async fn newest_of_user(
    app: &App,
    allowed: &Allowed<UseAccount>,
    limit: u64,
) -> Result<Vec<(String, rows::Repository)>> {
    let Some(user_id) = allowed.principal().user_id() else { return Ok(Vec::new()) };
    let found = db::repositories::newest_of_user(&app.db, user_id, limit).await?;
    let namespaces = db::namespaces::find_all(&app.db, found.iter().map(|r| r.namespace_id)).await?;
    let name = |id: Uuid| namespaces.iter().find(|n| n.id == id).map(|n| n.name.clone());
    Ok(found.into_iter().filter_map(|r| Some((name(r.namespace_id)?, r))).collect())
}

/// The public repository that changed last, and its whole name: what strangers are shown first.
pub async fn newest_public(app: &App) -> Result<Option<(RepositoryName, rows::Repository)>> {
    let Some(repository) = db::repositories::newest_public(&app.db).await? else { return Ok(None) };
    let Some(namespace) = db::namespaces::find(&app.db, repository.namespace_id).await? else { return Ok(None) };
    let name = RepositoryName::new(&namespace.name.parse()?, &repository.name)?;
    Ok(Some((name, repository)))
}

/// Name and page of the account at a forge that a namespace is bound to.
pub async fn account(app: &App, namespace_id: Uuid) -> Result<Option<(String, String)>> {
    let found = db::namespaces::find(&app.db, namespace_id).await?;
    let Some((namespace, forge, id)) = found.and_then(|n| {
        let (forge, id) = (n.forge_url.clone()?, n.forge_account_id.clone()?);
        Some((n, forge, id))
    }) else {
        return Ok(None);
    };
    let login = match db::users::find_identity(&app.db, &forge, &id).await? {
        Some(identity) => identity.login,
        // An organisation: its name at the forge, which ours was made from.
        None => db::namespaces::owner_login(&app.db, &id).await?.unwrap_or(namespace.name),
    };
    let url = format!("{forge}/{login}");
    Ok(Some((login, url)))
}
