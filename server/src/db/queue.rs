//! What waits and what runs, for the order in which builds are handed out.

use super::entity::accounts::namespace;
use super::{Ask, BuildState, Tx};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{FromQueryResult, QuerySelect, Statement};
use std::collections::HashMap;
use uuid::Uuid;

/// A build that waits.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Waiting {
    pub id: Uuid,
    pub namespace_id: Uuid,
    pub created_at: Millis,
}

#[derive(FromQueryResult)]
struct Running {
    namespace_id: Uuid,
    running: i64,
}

/// At most this many of each namespace are looked at: one that floods the queue hides nobody, and a question stays small.
pub const LOOKED_AT: usize = 50;

// Each namespace in which something waits is one look at an index, and so are the first ones of each. The number is
// `LOOKED_AT`; more than these are read only where they came in the same millisecond as the last one.
const WAITING: &str = "
WITH RECURSIVE waits (id) AS (
    SELECT id FROM (
        SELECT namespace_id AS id FROM build WHERE state = 'queued' AND namespace_id IS NOT NULL
        ORDER BY namespace_id LIMIT 1
    ) AS lowest
    UNION ALL
    SELECT (
        SELECT b.namespace_id FROM build b WHERE b.state = 'queued' AND b.namespace_id > waits.id
        ORDER BY b.namespace_id LIMIT 1
    ) FROM waits WHERE waits.id IS NOT NULL
)
SELECT id, namespace_id, created_at FROM (
    SELECT b.id, b.namespace_id, b.created_at,
           row_number() OVER (PARTITION BY b.namespace_id ORDER BY b.created_at, b.id) AS place
    FROM waits CROSS JOIN build b JOIN repository r ON r.id = b.repository_id
    WHERE b.namespace_id = waits.id AND b.state = 'queued' AND r.state <> 'deleting'
      AND b.created_at <= coalesce((
          SELECT l.created_at FROM build l JOIN repository lr ON lr.id = l.repository_id
          WHERE l.namespace_id = waits.id AND l.state = 'queued' AND lr.state <> 'deleting'
          ORDER BY l.created_at, l.id LIMIT 1 OFFSET 49
      ), 9223372036854775807)
) AS waiting
WHERE place <= 50
ORDER BY created_at, id";

const RUNNING: &str = "
SELECT namespace_id, count(*) AS running
FROM build
WHERE state = 'running' AND namespace_id IS NOT NULL
GROUP BY namespace_id";

/// The oldest waiting builds of each namespace, oldest first.
pub async fn waiting(c: &impl Ask) -> Result<Vec<Waiting>> {
    let backend = c.connection().get_database_backend();
    Ok(Waiting::find_by_statement(Statement::from_string(backend, WAITING)).all(c.connection()).await?)
}

/// How many builds run in each namespace.
pub async fn running(c: &impl Ask) -> Result<HashMap<Uuid, u32>> {
    let backend = c.connection().get_database_backend();
    let rows = Running::find_by_statement(Statement::from_string(backend, RUNNING)).all(c.connection()).await?;
    Ok(rows.into_iter().map(|r| (r.namespace_id, u32::try_from(r.running).unwrap_or(u32::MAX))).collect())
}

/// Counts the running builds of a namespace; on PostgreSQL two claims in one namespace come one after the other.
pub async fn lock_and_count_running(tx: &Tx, namespace_id: Uuid) -> Result<u32> {
    use super::entity::builds::build;
    if tx.is_postgres() {
        namespace::Entity::find_by_id(namespace_id).lock(LockType::NoKeyUpdate).one(tx.connection()).await?;
    }
    let running = build::Entity::find()
        .filter(build::Column::State.eq(BuildState::Running))
        .filter(build::Column::NamespaceId.eq(namespace_id))
        .count(tx.connection())
        .await?;
    Ok(u32::try_from(running).unwrap_or(u32::MAX))
}
