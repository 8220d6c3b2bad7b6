//! Builds of whole namespaces: what waits, runs or failed there. A list has a limit, and is counted where it is cut.

use super::entity::accounts::namespace_grant;
use super::entity::builds::build;
use super::entity::registry::repository;
use super::{Ask, BuildState, RepositoryState, Tx, Visibility, rows};
use crate::clock::Millis;
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// The newest entries of a list, and how many there are in all.
#[derive(Debug)]
pub struct Newest {
    pub builds: Vec<rows::Build>,
    pub total: u64,
}

const OPEN: [BuildState; 2] = [BuildState::Queued, BuildState::Running];
const FAILED: [BuildState; 3] = [BuildState::Failed, BuildState::TimedOut, BuildState::PartlyFailed];

/// The build's repository is there; and public, unless `all` are meant.
fn shown(all: bool) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr(Expr::val(1))
        .from(repository::Entity)
        .and_where(
            Expr::col((repository::Entity, repository::Column::Id))
                .equals((build::Entity, build::Column::RepositoryId)),
        )
        .and_where(repository::Column::State.eq(RepositoryState::Live));
    if !all {
        query.and_where(repository::Column::Visibility.eq(Visibility::Public));
    }
    query
}

/// A build of the same ref with a higher number, in one of these states.
fn newer(states: &[BuildState]) -> SelectStatement {
    let other = Alias::new("newer");
    let same = |column: build::Column| Expr::col((other.clone(), column)).equals((build::Entity, column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(build::Entity, other.clone())
        .and_where(same(build::Column::RepositoryId))
        .and_where(same(build::Column::RefName))
        .and_where(Expr::col((other.clone(), build::Column::State)).is_in(states.iter().copied()))
        .and_where(
            Expr::col((other.clone(), build::Column::Number)).gt(Expr::col((build::Entity, build::Column::Number))),
        )
        .to_owned()
}

async fn newest(c: &impl Ask, query: Select<build::Entity>, limit: u64) -> Result<Newest> {
    let ordered = query.clone().order_by_desc(build::Column::CreatedAt).order_by_desc(build::Column::Id);
    let builds = ordered.limit(limit).all(c.connection()).await?;
    let total = match builds.len() as u64 {
        few if few < limit => few,
        _ => query.count(c.connection()).await?,
    };
    Ok(Newest { builds, total })
}

/// Queued and running builds of a namespace; of its public repositories only when `all` is false.
pub async fn open_in(c: &impl Ask, namespace_id: Uuid, all: bool, limit: u64) -> Result<Newest> {
    let open = build::Entity::find()
        .filter(build::Column::NamespaceId.eq(namespace_id))
        .filter(build::Column::State.is_in(OPEN))
        .filter(Expr::exists(shown(all)));
    newest(c, open, limit).await
}

/// Ids of builds in these states where a person has a role. The cross join has SQLite begin with the person's namespaces:
/// without one it reads what failed, or waits, in all of them.
fn of_user(user_id: Uuid, states: &[BuildState]) -> SelectStatement {
    let grant = |column: namespace_grant::Column| Expr::col((namespace_grant::Entity, column));
    Query::select()
        .column((build::Entity, build::Column::Id))
        .from(namespace_grant::Entity)
        .cross_join(build::Entity)
        .and_where(grant(namespace_grant::Column::UserId).eq(user_id))
        .and_where(grant(namespace_grant::Column::SuspendedAt).is_null())
        .and_where(grant(namespace_grant::Column::NamespaceId).equals((build::Entity, build::Column::NamespaceId)))
        .and_where(Expr::col((build::Entity, build::Column::State)).is_in(states.iter().copied()))
        .to_owned()
}

/// Queued and running builds where a person has a role.
pub async fn open_of_user(c: &impl Ask, user_id: Uuid, limit: u64) -> Result<Newest> {
    let open = build::Entity::find()
        .filter(build::Column::Id.in_subquery(of_user(user_id, &OPEN)))
        .filter(Expr::exists(shown(true)));
    newest(c, open, limit).await
}

/// Builds that failed since `since` where a person has a role, and that no newer build of the same ref followed which
/// failed too, or was good. Whether each is the last one of its ref is a question of its own, so at most `most` of each
/// namespace are asked about: a ref that fails all day long hides none of other namespaces.
pub async fn failed_of_user(c: &impl Ask, user_id: Uuid, since: Millis, most: u64, limit: u64) -> Result<Newest> {
    let over = [FAILED.as_slice(), &[BuildState::Succeeded]].concat();
    let own = Alias::new("own");
    let of_own = |column: build::Column| Expr::col((own.clone(), column));
    let newest_of_namespace = Query::select()
        .column((own.clone(), build::Column::Id))
        .from_as(build::Entity, own.clone())
        .and_where(
            of_own(build::Column::NamespaceId).equals((namespace_grant::Entity, namespace_grant::Column::NamespaceId)),
        )
        .and_where(of_own(build::Column::State).is_in(FAILED))
        .and_where(of_own(build::Column::CreatedAt).gte(since))
        .order_by((own.clone(), build::Column::CreatedAt), Order::Desc)
        .limit(most)
        .to_owned();
    let looked_at = of_user(user_id, &FAILED)
        .and_where(Expr::col((build::Entity, build::Column::Id)).in_subquery(newest_of_namespace))
        .and_where(Expr::col((build::Entity, build::Column::CreatedAt)).gte(since))
        .to_owned();
    let failed = build::Entity::find()
        .filter(build::Column::Id.in_subquery(looked_at))
        .filter(Expr::exists(shown(true)))
        .filter(Expr::exists(newer(&over)).not());
    newest(c, failed, limit).await
}

/// Builds without a namespace: a server of the version before, which works beside this one, makes such.
pub async fn without_namespace(c: &impl Ask, limit: u64) -> Result<Vec<Uuid>> {
    let such = build::Entity::find().filter(build::Column::NamespaceId.is_null());
    Ok(such.select_only().column(build::Column::Id).limit(limit).into_tuple().all(c.connection()).await?)
}

/// Gives builds the namespace of their repository.
pub async fn give_namespace(tx: &Tx, ids: &[Uuid]) -> Result<()> {
    let namespace = Query::select()
        .column(repository::Column::NamespaceId)
        .from(repository::Entity)
        .and_where(
            Expr::col((repository::Entity, repository::Column::Id))
                .equals((build::Entity, build::Column::RepositoryId)),
        )
        .to_owned();
    build::Entity::update_many()
        .col_expr(build::Column::NamespaceId, Expr::SubQuery(None, Box::new(namespace.into())))
        .filter(build::Column::Id.is_in(ids.iter().copied()))
        .exec(tx.connection())
        .await?;
    Ok(())
}
