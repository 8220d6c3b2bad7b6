//! Handing out builds: fair between namespaces, oldest first in each, and only what the builder can run.

use super::assignment;
use super::ending;
use super::home::Home;
use super::lease::{self, OFFER};
use super::snapshot::Snapshot;
use super::states::Why;
use crate::app::App;
use crate::auth::tokens::ATTEMPT;
use crate::db::queue::Waiting;
use crate::db::{self, Ask as _, BuildState, Protection, Tx, rows};
use crate::error::{Error, ForgeError, Result};
use crate::policy::Principal;
use crate::secrets::{self, Secret};
use crate::sources::rules;
use slipway_protocol::Assignment;
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// The embedded builder's name: its attempts die with this process.
pub const EMBEDDED: &str = "embedded";

/// A build that was just given to a builder.
pub(super) struct Taken {
    pub build: rows::Build,
    pub attempt: rows::Attempt,
    pub token: Secret,
    pub snapshot: Snapshot,
    pub source: rows::Source,
    pub home: Home,
}

/// As `claim_next`, and waits up to `patience` for work to come.
pub async fn wait_for_work(
    app: &App,
    builder: &str,
    platforms: &[String],
    patience: Duration,
) -> Result<Option<Assignment>> {
    let deadline = app.clock.steady() + patience;
    loop {
        let news = app.wake.builds.notified();
        tokio::pin!(news);
        // Before the look into the queue: what is added right after it is not missed.
        news.as_mut().enable();
        if let Some(assignment) = claim_next(app, builder, platforms).await? {
            return Ok(Some(assignment));
        }
        let now = app.clock.steady();
        if now >= deadline {
            return Ok(None);
        }
        // Servers on the same PostgreSQL add builds too, and wake only their own waiters.
        let look_again = deadline.min(now + Duration::from_secs(1));
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep_until(look_again.into()) => {}
            () = app.wake.stopped() => return Ok(None),
        }
    }
}

/// Gives the next build to a builder, under a short lease until it is heard of.
pub async fn claim_next(app: &App, builder: &str, platforms: &[String]) -> Result<Option<Assignment>> {
    if too_little_space(app)? {
        return Ok(None);
    }
    let Some(taken) = take(app, builder, platforms).await? else { return Ok(None) };
    ending::wake(app, &taken.build);
    match crate::sources::clone_authorization(app, &taken.source).await {
        // It stays here: the source is passed on by `source.rs`. A build whose source nobody can read does not begin.
        Ok(_authorization) => Ok(Some(assignment::make(app, &taken))),
        Err(error) => {
            // No other one at once: that could be the same build again, until its attempts are used up.
            without_source(app, &taken, &error).await?;
            Ok(None)
        }
    }
}

/// Whether builds wait for the operator to make room.
pub(super) fn too_little_space(app: &App) -> Result<bool> {
    match app.room() {
        Err(Error::Full) => Ok(true),
        other => other.map(|()| false),
    }
}

/// The order in which waiting builds are handed out: whoever runs least comes first, and each turn takes one of each namespace.
pub(super) fn fair_order(waiting: &[Waiting], running: &HashMap<Uuid, u32>) -> Vec<Waiting> {
    let mut turns = running.clone();
    let mut ordered: Vec<(u32, Waiting)> = Vec::with_capacity(waiting.len());
    for one in waiting {
        let turn = turns.entry(one.namespace_id).or_default();
        ordered.push((*turn, one.clone()));
        *turn += 1;
    }
    // Stable: builds of one turn stay in the order in which they came.
    ordered.sort_by_key(|(turn, _)| *turn);
    ordered.into_iter().map(|(_, one)| one).collect()
}

async fn take(app: &App, builder: &str, platforms: &[String]) -> Result<Option<Taken>> {
    // A look without the writer's lock: most of the time nothing waits.
    if db::queue::waiting(&app.db).await?.is_empty() {
        return Ok(None);
    }
    let tx = app.db.begin().await?;
    let mut failed = Vec::new();
    let taken = choose(app, &tx, builder, platforms, &mut failed).await?;
    tx.commit().await?;
    for build in &failed {
        ending::wake(app, build);
    }
    Ok(taken)
}

/// The first build in order that this builder can take; those that nobody ever could are `failed` on the way.
async fn choose(
    app: &App,
    tx: &Tx,
    builder: &str,
    platforms: &[String],
    failed: &mut Vec<rows::Build>,
) -> Result<Option<Taken>> {
    let running = db::queue::running(tx).await?;
    let order = fair_order(&db::queue::waiting(tx).await?, &running);
    let limit = app.config.builds.per_namespace.max(1);
    for waiting in order {
        if running.get(&waiting.namespace_id).is_some_and(|running| *running >= limit) {
            continue;
        }
        let Some(mut build) = db::builds::lock_queued(tx, waiting.id).await? else { continue };
        let snapshot = Snapshot::parse(&build)?;
        if let Some(platform) = slipway_protocol::foreign(&snapshot.platforms, platforms) {
            // Where the embedded builder is the only one there will be, waiting for another is no use. On PostgreSQL
            // other servers may have builders.
            if app.config.builder.tokens.is_empty() && !app.db.is_postgres() {
                let able = platforms.join(", ");
                let why = format!("{platform} cannot be built on this machine, which builds {able}");
                let why = Why::new("platform_unsupported", why);
                ending::change(app, tx, &Principal::SYSTEM, &mut build, BuildState::Failed, why).await?;
                failed.push(build);
            }
            continue;
        }
        let source = match build.source_id {
            Some(id) => db::build_inputs::source(tx, id).await?,
            None => None,
        };
        let Some(source) = source else {
            let why = Why::new("source_unavailable", "its source was disconnected while the build waited");
            ending::change(app, tx, &Principal::SYSTEM, &mut build, BuildState::Failed, why).await?;
            failed.push(build);
            continue;
        };
        if db::queue::lock_and_count_running(tx, waiting.namespace_id).await? >= limit {
            // Another claim was faster. No other build now: two claims that each hold one namespace and want the other's
            // would wait for each other. The next look comes soon.
            return Ok(None);
        }
        let home = Home::of(tx, build.repository_id).await?;
        let protection = protection_of(&build, &source);
        let (attempt, token) = start(app, tx, &mut build, builder, protection).await?;
        return Ok(Some(Taken { build, attempt, token, snapshot, source, home }));
    }
    Ok(None)
}

/// What the ref is now, not what it was when the build was made: a build that waited, or is run again, gets the caches of
/// today.
fn protection_of(build: &rows::Build, source: &rows::Source) -> Protection {
    build.ref_name.parse().map_or(Protection::Unprotected, |name| rules::protection_of(&name, &source.default_branch))
}

async fn start(
    app: &App,
    tx: &Tx,
    build: &mut rows::Build,
    builder: &str,
    protection: Protection,
) -> Result<(rows::Attempt, Secret)> {
    let now = app.clock.now();
    ending::change(app, tx, &Principal::SYSTEM, build, BuildState::Running, Why::default()).await?;
    let before = db::attempts::of_build(tx, build.id).await?.last().map_or(0, |a| a.number);
    let token = secrets::new_token(ATTEMPT);
    let attempt = rows::Attempt {
        id: Uuid::now_v7(),
        build_id: build.id,
        number: before + 1,
        builder: builder.to_owned(),
        token_hash: secrets::hash(token.reveal()),
        lease_until: now + OFFER,
        started_at: now,
        ended_at: None,
        end_reason: None,
        last_record: 0,
        log_bytes: 0,
        log_cut: None,
        log_notices: Some("[]".to_owned()),
        protection,
    };
    Ok((db::attempts::insert(tx, attempt).await?, token))
}

// A forge that is away may be back; a permission that is gone is for a person to renew.
async fn without_source(app: &App, taken: &Taken, error: &Error) -> Result<()> {
    let passes = matches!(
        error,
        Error::Forge(ForgeError::Unreachable(_) | ForgeError::RateLimited(_))
            | Error::Unavailable(_)
            | Error::Full
            | Error::Internal { .. }
    );
    tracing::warn!(build.id = %taken.build.id, "{}: no access to the source: {}", taken.home.title(taken.build.number), error.for_log());
    let sentence = format!("the source cannot be read: {error}");
    if passes {
        lease::give_back(app, &taken.attempt, &sentence).await
    } else {
        lease::fail(app, &taken.attempt, Why::new("source_unavailable", sentence)).await
    }
}

/// Builds of one transaction.
const AT_ONCE: u64 = 200;

/// Takes builds into the queue that lack their namespace: a server of the version before, at work beside this one, makes
/// such.
pub async fn adopt(app: &App) -> Result<()> {
    loop {
        let some = db::build_lists::without_namespace(&app.db, AT_ONCE).await?;
        if some.is_empty() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        db::build_lists::give_namespace(&tx, &some).await?;
        tx.commit().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_take_turns() {
        let (a, b, c) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let waiting: Vec<_> = [a, a, a, b, b, c]
            .into_iter()
            .zip(1u8..)
            .map(|(namespace_id, n)| Waiting { id: Uuid::from_u128(n.into()), namespace_id, created_at: n.into() })
            .collect();
        let order = |running: &[(Uuid, u32)]| -> Vec<i64> {
            let running = running.iter().copied().collect();
            fair_order(&waiting, &running).into_iter().map(|w| w.created_at).collect()
        };
        assert_eq!(order(&[]), [1, 4, 6, 2, 5, 3]);
        assert_eq!(order(&[(a, 1)]), [4, 6, 1, 5, 2, 3]);
        assert_eq!(order(&[(a, 2), (b, 2)]), [6, 1, 4, 2, 5, 3]);
    }
}
