//! What pages ask about builds.

use super::home::Home;
use super::queue::{fair_order, too_little_space};
use super::snapshot::Snapshot;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::queue::{LOOKED_AT, Waiting};
use crate::db::{self, BuildState, rows};
use crate::error::Result;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Failed builds of a namespace that are looked at for such a list.
const MOST_FAILED: u64 = 2_000;
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

/// The newest builds of a list, and how many more it has.
#[derive(Debug)]
pub struct Newest {
    pub shown: Vec<Placed>,
    pub more: u64,
}

/// Queued and running builds where a person has a role, newest first.
pub async fn running_of_user(app: &App, user_id: Uuid) -> Result<Newest> {
    Newest::of(app, db::build_lists::open_of_user(&app.db, user_id, MOST).await?).await
}

/// Builds that failed in the last week where a person has a role, and that no newer build of the same ref followed.
pub async fn failed_of_user(app: &App, user_id: Uuid) -> Result<Newest> {
    let since = app.clock.now() - FAILED_FOR;
    Newest::of(app, db::build_lists::failed_of_user(&app.db, user_id, since, MOST_FAILED, MOST).await?).await
}

/// Queued and running builds of a namespace, of its public repositories only when `all` is false; newest first.
pub async fn open_in(app: &App, namespace_id: Uuid, all: bool, limit: u64) -> Result<Newest> {
    Newest::of(app, db::build_lists::open_in(&app.db, namespace_id, all, limit).await?).await
}

impl Newest {
    async fn of(app: &App, found: db::build_lists::Newest) -> Result<Self> {
        let repositories = db::repositories::find_all(&app.db, found.builds.iter().map(|b| b.repository_id)).await?;
        let namespaces = db::namespaces::find_all(&app.db, repositories.iter().map(|r| r.namespace_id)).await?;
        let more = found.total.saturating_sub(found.builds.len() as u64);
        let place = |build: rows::Build| {
            let repository = repositories.iter().find(|r| r.id == build.repository_id)?.clone();
            let namespace = namespaces.iter().find(|n| n.id == repository.namespace_id)?.clone();
            Some(Placed { build, home: Home { repository, namespace } })
        };
        Ok(Self { shown: found.builds.into_iter().filter_map(place).collect(), more })
    }
}

/// The builds that wait, as one page sees them: read once, when the first of its rows asks.
#[derive(Debug, Default)]
pub struct Queue(OnceCell<InLine>);

#[derive(Debug)]
struct InLine {
    waiting: Vec<Waiting>,
    /// As they are handed out.
    order: Vec<Waiting>,
}

impl Queue {
    /// How many builds are handed out before a waiting one; `None` when they are more than `LOOKED_AT`.
    pub async fn place_of(&self, app: &App, build: &rows::Build) -> Result<Option<usize>> {
        let InLine { waiting, order } = self.0.get_or_try_init(|| read(app)).await?;
        if let Some(place) = order.iter().position(|w| w.id == build.id) {
            return Ok(Some(place));
        }
        // It is behind the ones of its namespace that are looked at, or it has just begun and nobody is before it.
        let first = |w: &&Waiting| (w.created_at, w.id) < (build.created_at, build.id);
        let before = waiting.iter().filter(|w| Some(w.namespace_id) == build.namespace_id).filter(first).count();
        Ok((before < LOOKED_AT).then_some(0))
    }
}

async fn read(app: &App) -> Result<InLine> {
    let waiting = db::queue::waiting(&app.db).await?;
    let order = fair_order(&waiting, &db::queue::running(&app.db).await?);
    Ok(InLine { waiting, order })
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
        return Ok(Some(WaitsFor::Builder(no_builder(app).unwrap_or(why))));
    }
    let home = Home::of(&app.db, build.repository_id).await?;
    let running = db::queue::running(&app.db).await?.get(&home.namespace.id).copied().unwrap_or_default();
    let limit = app.config.builds.per_namespace.max(1);
    let name = home.namespace.name;
    Ok((running >= limit).then_some(WaitsFor::Namespace { name, running }))
}

/// What to do about a server that has no builder and is to have none, as `builder.embedded` and `builder.tokens` say.
pub fn no_builder(app: &App) -> Option<String> {
    let none = "this server has none; its operator sets `builder.embedded` to `true`, or adds the token of a remote \
                `slipway-builder` to `builder.tokens`";
    app.config.builder.is_none().then(|| none.to_owned())
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
