//! Namespaces: who owns which name, and what their repositories show.

pub mod visibility;

use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, NamespaceKind, Role, Tx, rows};
use crate::error::{Error, Result};
use crate::names::{NamespaceName, is_reserved};
use crate::policy::Principal;
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
    let grant = rows::Grant {
        id: Uuid::now_v7(),
        namespace_id: namespace.id,
        user_id: owner.id,
        role: Role::Admin,
        created_at: now,
    };
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
