//! Leases: kept by heartbeats, swept when they run out. *Lost* ends an attempt, not its build.

use super::cancel::cancelled;
use super::ending::{self, end_attempt, not_present};
use super::queue::EMBEDDED;
use super::states::{Why, is_over};
use super::{finish, log};
use crate::app::App;
use crate::clock::{MINUTE, Millis, SECOND};
use crate::db::{self, Ask as _, AttemptEnd, BuildState, Tx, rows};
use crate::error::{Error, Parts, Result};
use crate::policy::Principal;
use crate::secrets;
use slipway_protocol::HeartbeatReply;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a builder may be silent.
pub const LEASE: Millis = 60 * SECOND;
/// A builder that takes a build is heard of at once. The answer to one that just died reaches nobody: the build is not
/// to wait a whole lease for that.
pub(super) const OFFER: Millis = 15 * SECOND;
/// A builder stops a build at its deadline and a cancelled one at once; this long after, the server does.
const GRACE: Millis = 2 * MINUTE;
const CANCEL_GRACE: Millis = MINUTE;
/// Clocks that go apart by so much between two sweeps did not do so by themselves.
const MOST_DRIFT: u64 = 20 * SECOND.unsigned_abs();
/// Lost so often, a build fails: it may be what kills its builders.
const MOST_REQUEUES: i64 = 1;
/// Handed back so often by builders that stop, it fails too.
const MOST_ATTEMPTS: i64 = 10;

/// The attempt that a bearer belongs to; its path must name the same one.
pub async fn attempt_of_token(app: &App, id: Uuid, token: &str) -> Result<rows::Attempt> {
    let found = db::builds::find_attempt_by_token(&app.db, &secrets::hash(token)).await?;
    found.filter(|a| a.id == id).ok_or_else(|| Error::Unauthorized("the token of this attempt is not right".into()))
}

/// Keeps the lease; tells whether to stop.
pub async fn heartbeat(app: &App, attempt: &rows::Attempt) -> Result<HeartbeatReply> {
    let tx = app.db.begin().await?;
    if !db::attempts::extend(&tx, attempt.id, app.clock.now() + LEASE).await? {
        return Err(not_present());
    }
    let build = db::builds::find(&tx, attempt.build_id).await?.ok_or_else(not_present)?;
    tx.commit().await?;
    app.builders.heard(&attempt.builder, app.clock.now());
    Ok(HeartbeatReply { cancel: build.cancel_requested_at.is_some(), lease_secs: LEASE.unsigned_abs() / 1_000 })
}

/// As `heartbeat`, and waits up to `patience` for a cancel: a builder whose build is silent hears of it at once.
pub async fn heartbeat_until_cancel(app: &App, attempt: &rows::Attempt, patience: Duration) -> Result<HeartbeatReply> {
    let mut changed = app.wake.follow(attempt.build_id);
    let first = heartbeat(app, attempt).await?;
    if first.cancel || patience.is_zero() {
        return Ok(first);
    }
    // Another server on the same PostgreSQL may cancel it, and wakes only its own waiters.
    let look_again = if app.db.is_postgres() { Duration::from_secs(1) } else { patience };
    let cancelled = async {
        while !matches!(tokio::time::timeout(look_again, changed.changed()).await, Ok(Err(_))) {
            let build = db::builds::find(&app.db, attempt.build_id).await?;
            if build.is_none_or(|b| b.cancel_requested_at.is_some() || is_over(b.state)) {
                break;
            }
        }
        Ok::<_, Error>(())
    };
    tokio::select! {
        done = cancelled => done?,
        () = tokio::time::sleep(patience) => {}
        () = app.wake.stopped() => {}
    }
    heartbeat(app, attempt).await
}

/// When the server starts: running builders elsewhere get time to be heard, and what died with the last process is queued again.
pub async fn at_start(app: &App) -> Result<()> {
    let tx = app.db.begin().await?;
    db::attempts::extend_all(&tx, app.clock.now() + LEASE).await?;
    tx.commit().await?;
    // SQLite has one server: an embedded builder that left an open attempt is dead. With PostgreSQL it may be another server's.
    if app.db.is_postgres() {
        return Ok(());
    }
    for attempt in db::attempts::open(&app.db).await? {
        if attempt.builder == EMBEDDED {
            let lost = lose(app, &attempt, "the server was restarted while the build ran").await;
            // The sweep tries again; without the database there is no start.
            match lost {
                Err(error) if db::failed(&error) => return Err(error),
                Err(error) => tracing::error!("attempt {} was not ended: {}", attempt.id, error.for_log()),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// When leases were swept last, by the clock on the wall and by one that only goes on while the machine is awake.
#[derive(Default)]
pub struct LastSweep(Mutex<Option<(Millis, Instant)>>);

impl LastSweep {
    /// Notes a sweep. By how much the clock on the wall went ahead of the other one since the last sweep (less than 0:
    /// behind it), if that is much: the machine slept, or its clock was set.
    pub(super) fn jumped(&self, wall: Millis, steady: Instant) -> Option<Millis> {
        let last = self.0.lock().expect("no holder panics").replace((wall, steady));
        let (last_wall, last_steady) = last?;
        let steady = steady.saturating_duration_since(last_steady).as_millis();
        let by = wall.saturating_sub(last_wall).saturating_sub(i64::try_from(steady).unwrap_or(i64::MAX));
        (by.unsigned_abs() > MOST_DRIFT).then_some(by)
    }
}

/// Ends attempts whose builder is silent, or does not stop when it should.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    if let Some(by) = app.last_sweep.jumped(now, app.clock.steady()) {
        tracing::warn!(
            "the clock jumped by {} s, or the machine slept: running builds lose no time by it",
            by / SECOND
        );
        let tx = app.db.begin().await?;
        db::attempts::shift_all(&tx, by).await?;
        db::attempts::extend_begun(&tx, OFFER, now + LEASE).await?;
        return tx.commit().await;
    }
    let mut parts = Parts::default();
    for attempt in db::attempts::open(&app.db).await? {
        parts.note(&format!("looking at attempt {}", attempt.id), look(app, &attempt, now).await);
    }
    parts.end()
}

async fn look(app: &App, attempt: &rows::Attempt, now: Millis) -> Result<()> {
    let deadline = i64::try_from(app.config.builds.deadline_secs).unwrap_or(i64::MAX / 2_000) * SECOND;
    let build = db::builds::find(&app.db, attempt.build_id).await?;
    let cancel = build.and_then(|b| b.cancel_requested_at);
    if attempt.lease_until < now && attempt.lease_until <= attempt.started_at + OFFER {
        requeue(app, attempt, Some(attempt.lease_until), "no builder began it", may_go_back).await
    } else if attempt.lease_until < now {
        lose(app, attempt, "its builder was not heard of any more").await
    } else if attempt.started_at + deadline + GRACE < now {
        let why = if app.room().is_ok() { finish::too_long(app) } else { no_room() };
        stop(app, attempt, AttemptEnd::Lost, BuildState::TimedOut, why).await
    } else if cancel.is_some_and(|at| at + CANCEL_GRACE < now) {
        stop(app, attempt, AttemptEnd::Cancelled, BuildState::Cancelled, Why::default()).await
    } else {
        Ok(())
    }
}

/// Why a build came to no end: its builder kept sending what could not be taken.
fn no_room() -> Why {
    let text = "the server's disk is almost full, so that the log could not be taken until the build's time was over; \
        run it again when there is room";
    Why::new("timed_out", text)
}

/// The builder is gone: the build is queued again, once.
async fn lose(app: &App, attempt: &rows::Attempt, what: &str) -> Result<()> {
    requeue(app, attempt, Some(attempt.lease_until), what, |build, _| {
        build.requeues += 1;
        build.requeues <= MOST_REQUEUES
    })
    .await
}

/// The builder stops, or cannot start it now: the build is queued again.
pub(super) async fn give_back(app: &App, attempt: &rows::Attempt, what: &str) -> Result<()> {
    // Who holds the attempt says so: a heartbeat of its own, which came in between, changes nothing.
    requeue(app, attempt, None, what, may_go_back).await
}

fn may_go_back(_: &mut rows::Build, attempt: &rows::Attempt) -> bool {
    attempt.number < MOST_ATTEMPTS
}

async fn requeue(
    app: &App,
    attempt: &rows::Attempt,
    lease: Option<Millis>,
    what: &str,
    again: impl FnOnce(&mut rows::Build, &rows::Attempt) -> bool,
) -> Result<()> {
    let tx = app.db.begin().await?;
    let Some((mut build, attempt)) = lock(&tx, attempt, lease).await? else { return Ok(()) };
    let (to, why) = if build.cancel_requested_at.is_some() {
        (BuildState::Cancelled, cancelled(&build))
    } else if again(&mut build, &attempt) {
        (BuildState::Queued, Why { reason: None, detail: Some(format!("{what}; it is queued again")) })
    } else {
        (
            BuildState::Failed,
            Why::new("builder_lost", format!("{what}, {} times; run it again when builders are well", attempt.number)),
        )
    };
    log::add_notice(app, &tx, &attempt, why.detail.clone().unwrap_or_default()).await?;
    end_attempt(app, &tx, attempt.id, AttemptEnd::Lost).await?;
    ending::change(app, &tx, &Principal::SYSTEM, &mut build, to, why).await?;
    tx.commit().await?;
    tracing::warn!(build.id = %build.id, "build {} lost attempt {} on builder {}: {what}", build.id, attempt.number, attempt.builder);
    ending::wake(app, &build);
    Ok(())
}

/// Ends an attempt and fails its build.
pub(super) async fn fail(app: &App, attempt: &rows::Attempt, why: Why) -> Result<()> {
    stop(app, attempt, AttemptEnd::Finished, BuildState::Failed, why).await
}

async fn stop(app: &App, attempt: &rows::Attempt, how: AttemptEnd, to: BuildState, why: Why) -> Result<()> {
    let tx = app.db.begin().await?;
    let Some((mut build, attempt)) = lock(&tx, attempt, Some(attempt.lease_until)).await? else { return Ok(()) };
    let why = if to == BuildState::Cancelled { cancelled(&build) } else { why };
    log::add_notice(app, &tx, &attempt, why.detail.clone().unwrap_or_default()).await?;
    end_attempt(app, &tx, attempt.id, how).await?;
    ending::change(app, &tx, &Principal::SYSTEM, &mut build, to, why).await?;
    tx.commit().await?;
    ending::wake(app, &build);
    Ok(())
}

/// Build and attempt, locked, while the attempt is open and, for whoever watches it, its lease is as it was seen: a
/// heartbeat may have come since.
async fn lock(tx: &Tx, seen: &rows::Attempt, lease: Option<Millis>) -> Result<Option<(rows::Build, rows::Attempt)>> {
    let Some(build) = db::builds::lock(tx, seen.build_id).await? else { return Ok(None) };
    let attempt = db::attempts::lock(tx, seen.id).await?;
    let same = |a: &rows::Attempt| a.ended_at.is_none() && lease.is_none_or(|lease| a.lease_until == lease);
    Ok(attempt.filter(same).map(|attempt| (build, attempt)))
}
