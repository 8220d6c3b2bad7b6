//! What belongs to every change of a build's state: the event, the status at the forge, and who is woken.

use super::home::Home;
use super::log;
use super::states::{Why, enter, is_over};
use crate::app::App;
use crate::clock::Millis;
use crate::db::events::NewEvent;
use crate::db::{self, AttemptEnd, BuildState, Tx, rows};
use crate::error::{Error, Result};
use crate::jobs::{self, Task};
use crate::policy::Principal;
use crate::wake::Wake;
use serde_json::json;
use uuid::Uuid;

/// Moves a locked build to another state, with all that follows from it.
pub(super) async fn change(
    app: &App,
    tx: &Tx,
    by: &Principal,
    build: &mut rows::Build,
    to: BuildState,
    why: Why,
) -> Result<()> {
    let now = app.clock.now();
    enter(build, to, why, now)?;
    db::builds::save(tx, build).await?;
    announce(tx, by, build, now).await?;
    tell_forge(app, tx, build).await
}

/// Writes the event of the state that a build is in.
pub(super) async fn announce(tx: &Tx, by: &Principal, build: &rows::Build, now: Millis) -> Result<()> {
    let home = Home::of(tx, build.repository_id).await?;
    let kind = match build.state {
        BuildState::Queued if build.requeues > 0 => "build.requeued",
        BuildState::Queued => "build.queued",
        BuildState::Running => "build.started",
        BuildState::Skipped => "build.skipped",
        _ => "build.finished",
    };
    let event = NewEvent {
        kind,
        namespace_id: Some(home.namespace.id),
        repository_id: Some(home.repository.id),
        subject: home.title(build.number),
        cause: Some(build.trigger.to_string()),
        body: json!({
            "build_id": build.id,
            "number": build.number,
            "state": build.state,
            "reason": build.reason,
            "detail": build.detail,
            "ref": build.ref_name,
            "commit": build.commit_hash,
            "digest": build.digest,
        }),
    };
    db::events::add(tx, by, event, now).await
}

/// Has the commit's status at the forge set, to what the build's state is by then.
pub(super) async fn tell_forge(app: &App, tx: &Tx, build: &rows::Build) -> Result<()> {
    if build.source_id.is_none() {
        return Ok(());
    }
    let task = Task::SetCommitStatus { build_id: build.id };
    jobs::enqueue(app, tx, &task, Some(format!("status:{}", build.id))).await
}

/// Ends an attempt and has its log sealed; `Conflict` when it had ended before.
pub(super) async fn end_attempt(app: &App, tx: &Tx, attempt_id: Uuid, how: AttemptEnd) -> Result<()> {
    if !db::attempts::end(tx, attempt_id, how, app.clock.now()).await? {
        return Err(not_present());
    }
    log::ask_to_seal(app, tx, attempt_id).await
}

/// What a builder reads whose attempt is over: it drops the work.
pub(super) fn not_present() -> Error {
    Error::Conflict("this attempt is no longer the present one of its build".into())
}

/// After the commit: pages look again, and so do builders when a place came free or work came in.
pub(super) fn wake(app: &App, build: &rows::Build) {
    rouse(&app.wake, build);
}

/// As `wake`, when the transaction is committed.
pub(super) fn wake_after(app: &App, tx: &Tx, build: &rows::Build) {
    let (wake, build) = (app.wake.clone(), build.clone());
    tx.on_commit(move || rouse(&wake, &build));
}

fn rouse(wake: &Wake, build: &rows::Build) {
    wake.changed(build.id);
    wake.changed(build.repository_id);
    if build.state == BuildState::Queued || is_over(build.state) {
        wake.builds.notify_waiters();
    }
}
