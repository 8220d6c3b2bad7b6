//! What pages ask about builds.

use super::home::Home;
use super::queue::{fair_order, too_little_space};
use super::snapshot::Snapshot;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::queue::{LOOKED_AT, Waiting};
use crate::db::{self, BuildState, rows};
use crate::error::Result;
use std::collections::HashMap;
use uuid::Uuid;

/// How many builds a list about a person shows.
const MOST: u64 = 50;
/// A failed build of a person is shown for so long.
const FAILED_FOR: Millis = 7 * DAY;

/// A build with the names of its repository and namespace.
#[derive(Clone, Debug)]
pub struct Placed {
    pub build: rows::Build,
    pub home: Home,
}

pub async fn find_by_number(app: &App, repository_id: Uuid, number: i64) -> Result<Option<rows::Build>> {
    db::builds::find_by_number(&app.db, repository_id, number).await
}

/// Builds of a repository with a number below `before`, newest first, `limit` at most.
pub async fn list(app: &App, repository_id: Uuid, before: Option<i64>, limit: u64) -> Result<Vec<rows::Build>> {
    db::builds::list(&app.db, repository_id, before, limit.min(200)).await
}

/// Queued and running builds where a person has a role, newest first.
pub async fn running_of_user(app: &App, user_id: Uuid) -> Result<Vec<Placed>> {
    of_user(app, user_id, &[BuildState::Queued, BuildState::Running], 0).await
}

/// Builds that failed in the last week where a person has a role, and that no newer build of the same ref followed.
pub async fn failed_of_user(app: &App, user_id: Uuid) -> Result<Vec<Placed>> {
    let states = [BuildState::Failed, BuildState::TimedOut, BuildState::PartlyFailed];
    let failed = of_user(app, user_id, &states, app.clock.now() - FAILED_FOR).await?;
    let mut shown = Vec::new();
    for placed in failed {
        let b = &placed.build;
        let good = db::builds::good_of_ref(&app.db, b.repository_id, &b.ref_name, 1).await?;
        let known = |p: &Placed| p.build.repository_id == b.repository_id && p.build.ref_name == b.ref_name;
        if good.first().is_none_or(|g| g.number < b.number) && !shown.iter().any(known) {
            shown.push(placed);
        }
    }
    Ok(shown)
}

async fn of_user(app: &App, user_id: Uuid, states: &[BuildState], since: Millis) -> Result<Vec<Placed>> {
    let mut homes = HashMap::new();
    for (namespace, _) in db::namespaces::of_user(&app.db, user_id).await? {
        for repository in db::repositories::list(&app.db, namespace.id, true).await? {
            homes.insert(repository.id, Home { repository, namespace: namespace.clone() });
        }
    }
    let ids: Vec<Uuid> = homes.keys().copied().collect();
    let mut builds = Vec::new();
    // Databases take only so many values in one question.
    for some in ids.chunks(500) {
        builds.extend(db::builds::in_states(&app.db, some, states, since, MOST).await?);
    }
    builds.sort_by_key(|b| std::cmp::Reverse(b.created_at));
    builds.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    Ok(builds
        .into_iter()
        .filter_map(|build| homes.get(&build.repository_id).cloned().map(|home| Placed { build, home }))
        .collect())
}

/// How many builds are handed out before a waiting one; `None` when they are more than `LOOKED_AT`.
pub async fn place_in_queue(app: &App, build: &rows::Build) -> Result<Option<usize>> {
    let waiting = db::queue::waiting(&app.db).await?;
    let order = fair_order(&waiting, &db::queue::running(&app.db).await?);
    if let Some(place) = order.iter().position(|w| w.id == build.id) {
        return Ok(Some(place));
    }
    // It is behind the ones of its namespace that are looked at, or it has just begun and nobody is before it.
    let home = Home::of(&app.db, build.repository_id).await?;
    let first = |w: &&Waiting| (w.created_at, w.id) < (build.created_at, build.id);
    let before = waiting.iter().filter(|w| w.namespace_id == home.namespace.id).filter(first).count();
    Ok((before < LOOKED_AT).then_some(0))
}

/// What a queued build waits for that is not its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The operator makes room on the server's disk.
    Space,
    /// A builder that can take it; the sentence says what is wrong with those there are.
    Builder(String),
    /// Its namespace runs as many builds as it may.
    Namespace { name: String, running: u32 },
}

/// Why a queued build would wait even if it were the first one; `None` when it only waits for its turn.
pub async fn why_waiting(app: &App, build: &rows::Build) -> Result<Option<WaitsFor>> {
    if build.state != BuildState::Queued {
        return Ok(None);
    }
    if too_little_space(app)? {
        return Ok(Some(WaitsFor::Space));
    }
    if let Some(why) = app.builders.why_waiting(&Snapshot::parse(build)?.platforms, app.clock.now()) {
        return Ok(Some(WaitsFor::Builder(why)));
    }
    let home = Home::of(&app.db, build.repository_id).await?;
    let running = db::queue::running(&app.db).await?.get(&home.namespace.id).copied().unwrap_or_default();
    let limit = app.config.builds.per_namespace.max(1);
    let name = home.namespace.name;
    Ok((running >= limit).then_some(WaitsFor::Namespace { name, running }))
}

/// The tries of a build, oldest first; the last one is the present.
pub async fn attempts(app: &App, build_id: Uuid) -> Result<Vec<rows::Attempt>> {
    db::attempts::of_build(&app.db, build_id).await
}

/// How long builds of a ref take: the median of its last ten good ones, in milliseconds.
pub async fn usual_duration(app: &App, repository_id: Uuid, ref_name: &str) -> Result<Option<Millis>> {
    let good = db::builds::good_of_ref(&app.db, repository_id, ref_name, 10).await?;
    Ok(median(good.iter().filter_map(|b| Some(b.finished_at? - b.started_at?)).collect()))
}

fn median(mut values: Vec<Millis>) -> Option<Millis> {
    values.sort_unstable();
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(i64::midpoint(values[middle - 1], upper)) }
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        for (values, expected) in
            [(vec![], None), (vec![5], Some(5)), (vec![9, 1], Some(5)), (vec![100, 1, 2], Some(2))]
        {
            assert_eq!(median(values), expected);
        }
    }
}
