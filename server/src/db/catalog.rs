//! Names of repositories in all namespaces, a page at a time.
//!
//! Namespaces come in the order of `name/`, and repositories by name within each: that is the order of full names, and no
//! page reads more repositories than it lists.

use super::Ask;
use super::entity::registry::repository;
use super::{RepositoryState, Visibility};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::{DbBackend, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Owner {
    id: Uuid,
    name: String,
    has_role: bool,
}

/// Full names of live repositories that are public, or in namespaces where `user_id` has a role; after `after`, in byte order.
pub async fn visible_names(c: &impl Ask, user_id: Option<Uuid>, after: &str, limit: u64) -> Result<Vec<String>> {
    // `acme/web` is in `acme/`, behind `web`; what has no slash is behind no repository of a namespace.
    let (prefix, mut rest) = after.split_at(after.find('/').map_or(after.len(), |slash| slash + 1));
    let mut names = Vec::new();
    for owner in owners(c, user_id, prefix, limit).await? {
        let left = limit - names.len() as u64;
        if left == 0 {
            break;
        }
        let behind = if format!("{}/", owner.name) == prefix { std::mem::take(&mut rest) } else { "" };
        let found = names_in(c, &owner, behind, left).await?;
        names.extend(found.into_iter().map(|name| format!("{}/{name}", owner.name)));
    }
    Ok(names)
}

/// Namespaces with a repository that is shown, from `prefix` on. The first one may have nothing behind `last`, so it comes
/// beside the limit.
async fn owners(c: &impl Ask, user_id: Option<Uuid>, prefix: &str, limit: u64) -> Result<Vec<Owner>> {
    let (backend, collate) =
        if c.is_postgres() { (DbBackend::Postgres, "COLLATE \"C\"") } else { (DbBackend::Sqlite, "") };
    let (p1, p2, p3) = if c.is_postgres() { ("$1", "$2", "$3") } else { ("?1", "?2", "?3") };
    let role = format!(
        "EXISTS (SELECT 1 FROM namespace_grant g WHERE g.namespace_id = n.id AND g.user_id = {p1} \
         AND g.suspended_at IS NULL)"
    );
    let sql = format!(
        "SELECT n.id, n.name, {role} AS has_role FROM namespace n \
         WHERE n.name <> 'buildcache' AND (n.name || '/') {collate} >= {p2} \
         AND EXISTS (SELECT 1 FROM repository r WHERE r.namespace_id = n.id AND r.state = 'live' \
         AND (r.visibility = 'public' OR {role})) ORDER BY (n.name || '/') {collate} LIMIT {p3} + 1"
    );
    let values =
        [user_id.unwrap_or_default().into(), prefix.into(), i64::try_from(limit).unwrap_or(i64::MAX / 2).into()];
    Ok(Owner::find_by_statement(Statement::from_sql_and_values(backend, sql, values)).all(c.connection()).await?)
}

async fn names_in(c: &impl Ask, owner: &Owner, after: &str, limit: u64) -> Result<Vec<String>> {
    let mut query = repository::Entity::find()
        .select_only()
        .column(repository::Column::Name)
        .filter(repository::Column::NamespaceId.eq(owner.id))
        .filter(repository::Column::State.eq(RepositoryState::Live))
        .filter(repository::Column::Name.gt(after));
    if !owner.has_role {
        query = query.filter(repository::Column::Visibility.eq(Visibility::Public));
    }
    Ok(query.order_by_asc(repository::Column::Name).limit(limit).into_tuple().all(c.connection()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{self, Role, rows};
    use crate::testing::{self, TestApp};

    crate::testing::on_postgres! {
        pages_of_every_size_hold_all_names,
    }

    /// Namespaces with one public repository each, some with more or none, and one with a private one.
    async fn fill(app: &TestApp, member: Uuid) -> Vec<String> {
        let mut names = Vec::new();
        let tx = app.db.begin().await.unwrap();
        db::users::insert(&tx, rows::User { id: member, ..testing::user("lisa") }).await.unwrap();
        for name in ["a", "a-b", "a0", "b", "c", "d", "e", "z"] {
            let namespace = db::namespaces::insert(&tx, testing::namespace(name)).await.unwrap();
            let (held, visibility) = match name {
                "a" => (&["x", "x-y", "x.y", "x0"][..], Visibility::Public),
                "c" => (&[][..], Visibility::Public),
                "e" => (&["own"][..], Visibility::Private),
                _ => (&["only"][..], Visibility::Public),
            };
            if ["c", "e"].contains(&name) {
                let grant = rows::Grant::given(namespace.id, member, Role::Reader, 1);
                db::namespaces::insert_grant(&tx, grant).await.unwrap();
            }
            for repository in held {
                let row = rows::Repository { visibility, ..testing::repository(namespace.id, repository) };
                db::repositories::insert(&tx, row).await.unwrap();
                names.push(format!("{name}/{repository}"));
            }
        }
        tx.commit().await.unwrap();
        names.sort();
        names
    }

    #[tokio::test]
    async fn pages_of_every_size_hold_all_names() {
        let app = TestApp::start().await;
        let member = Uuid::now_v7();
        let all = fill(&app, member).await;
        for (user, expected) in [
            (Some(member), all.clone()),
            (None, all.iter().filter(|name| *name != "e/own").cloned().collect::<Vec<_>>()),
        ] {
            for size in 1..=6 {
                let mut seen: Vec<String> = Vec::new();
                loop {
                    let last = seen.last().cloned().unwrap_or_default();
                    let mut page = visible_names(&app.db, user, &last, size + 1).await.unwrap();
                    let has_more = page.len() as u64 > size;
                    page.truncate(usize::try_from(size).unwrap());
                    seen.extend(page);
                    if !has_more {
                        break;
                    }
                }
                assert_eq!(seen, expected, "{size} at once");
            }
        }
    }
}
