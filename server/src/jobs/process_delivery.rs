//! Reads a push that a forge sent, and queues what follows.
//!
//! Deliveries may come late or out of order. One that does not start where we know the ref to be, or ends where a faster
//! one began, is compared with the forge: only what is true now counts.

use super::{JobError, Task, enqueue};
use crate::app::App;
use crate::clock::{MINUTE, Millis, SECOND};
use crate::db::sources::deliveries::{self, WAITING};
use crate::db::{self, Tx, rows};
use crate::error::{Error, ForgeError, Result};
use crate::names::CommitHash;
use crate::sources::payload::{self, Change, Push};
use crate::sources::{self, pushes, refs};
use uuid::Uuid;

/// Times that the ref may move between our look and our lock.
const MOST_TURNS: usize = 5;
/// A delivery that is overtaken comes within this time of the one that was faster.
const LATE: Millis = 10 * MINUTE;
/// The forge's API may be so far behind its webhooks.
const BEHIND: Millis = 40 * SECOND;
/// Deliveries that are looked through for a faster one.
const MOST_COMPARED: u64 = 20;

pub(super) async fn run(app: &App, delivery_id: Uuid) -> Result<(), JobError> {
    let Some(delivery) = deliveries::find(&app.db, delivery_id).await? else { return Ok(()) };
    let Some(source) = db::sources::find(&app.db, delivery.source_id).await? else { return Ok(()) };
    if delivery.outcome != WAITING {
        return Ok(());
    }
    if let Ok(about) = payload::read_about(&delivery.body)
        && about.repository_id == source.remote_id
    {
        note_privacy(app, &source, about.is_private).await?;
        sources::renames::note_told(app, &source, about.full_name.as_deref()).await?;
    }
    if delivery.event == "repository" {
        return Ok(compare_facts(app, &delivery, &source).await?);
    }
    let push = match payload::read(&delivery.body) {
        Ok(push) if push.repository_id == source.remote_id => push,
        Ok(_) => return Ok(finish(app, delivery.id, "it is about another repository").await?),
        Err(text) => return Ok(finish(app, delivery.id, &text).await?),
    };
    for _ in 0..MOST_TURNS {
        let known = refs::find_live(&app.db, source.id, &push.ref_name).await?;
        let is_believed = is_next(&push, known.as_ref()) && !was_left(app, &delivery, &push).await?;
        if !is_believed && !is_true_now(app, &source, &push, delivery.received_at).await? {
            return Ok(outdated(app, &delivery, source.id).await?);
        }
        if settle(app, &delivery, &push, known.map(|k| k.number)).await? {
            return Ok(());
        }
    }
    Err(JobError::Retry(Error::Unavailable("the ref moves faster than we read".into())))
}

/// A signed word that the code is private counts at once, for every source of it: this one may know, and others not. That
/// it is public is asked for, since deliveries may be late.
async fn note_privacy(app: &App, source: &rows::Source, is_private: Option<bool>) -> Result<()> {
    let Some(is_private) = is_private.filter(|said| *said || source.is_private) else { return Ok(()) };
    let tx = app.db.begin().await?;
    if is_private {
        sources::privacy::note_private(app, &tx, source.id).await?;
    } else {
        db::sources::forget_memory(&tx, source.id).await?;
        compare(app, &tx, source.id).await?;
    }
    tx.commit().await
}

/// Renamed, moved, hidden, published: the forge is asked what is true now.
async fn compare_facts(app: &App, delivery: &rows::HookDelivery, source: &rows::Source) -> Result<()> {
    let tx = app.db.begin().await?;
    deliveries::set_outcome(&tx, delivery.id, "the code repository changed, and was looked at").await?;
    db::sources::forget_memory(&tx, source.id).await?;
    compare(app, &tx, source.id).await?;
    tx.commit().await
}

/// Whether the push starts where we know the ref to be.
fn is_next(push: &Push, known: Option<&rows::SourceRef>) -> bool {
    push.before.as_ref().map(CommitHash::as_str) == known.map(|k| k.commit_hash.as_str())
}

/// Whether a faster delivery told of a push that began where this one ended: then the ref being back where this one
/// began says nothing.
async fn was_left(app: &App, delivery: &rows::HookDelivery, push: &Push) -> Result<bool> {
    let since = delivery.received_at - LATE;
    for id in deliveries::read_since(&app.db, delivery.source_id, since, MOST_COMPARED).await? {
        // One at a time: bodies may be large.
        let Some(other) = deliveries::find(&app.db, id).await? else { continue };
        let other = payload::read(&other.body);
        if other.is_ok_and(|other| other.ref_name == push.ref_name && other.before.as_ref() == push.after()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the ref is now as the push left it. Where nobody can be asked, a signed word counts.
async fn is_true_now(app: &App, source: &rows::Source, push: &Push, received_at: Millis) -> Result<bool> {
    let link = match sources::link(app, source).await {
        Ok(link) => link,
        Err(Error::Forge(ForgeError::Revoked)) => return Ok(true),
        Err(error) => return Err(error),
    };
    let now = match link.forge.ref_target(&source.remote_id, &push.ref_name).await {
        Ok(now) => Some(now),
        Err(ForgeError::NotFound) => None,
        Err(ForgeError::Revoked | ForgeError::NotApproved | ForgeError::Refused(_)) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    if now.as_deref() == push.after().map(CommitHash::as_str) {
        return Ok(true);
    }
    let is_as_before = now.as_deref() == push.before.as_ref().map(CommitHash::as_str);
    if is_as_before && (app.clock.now() - received_at).abs() < BEHIND {
        return Err(ForgeError::RateLimited(5).into());
    }
    Ok(false)
}

/// Writes what the push does; false when the ref moved since it was looked at.
async fn settle(app: &App, delivery: &rows::HookDelivery, push: &Push, seen: Option<i64>) -> Result<bool> {
    let tx = app.db.begin().await?;
    let Some(mut source) = db::sources::lock(&tx, delivery.source_id).await? else { return Ok(true) };
    let known = refs::find_live(&tx, source.id, &push.ref_name).await?;
    if known.as_ref().map(|k| k.number) != seen {
        return Ok(false);
    }
    if let Some(branch) = push.default_branch.as_ref().filter(|b| **b != source.default_branch) {
        db::sources::set_default_branch(&tx, source.id, branch).await?;
        source.default_branch.clone_from(branch);
    }
    let outcome = match &push.change {
        Change::Moved { commit, .. } => {
            let builds = pushes::apply(app, &tx, &source, &push.ref_name, commit).await?;
            said(&builds)
        }
        Change::Deleted => {
            if let Some(known) = known {
                refs::forget(app, &tx, &known).await?;
            }
            format!("`{}` was deleted", push.ref_name.short())
        }
    };
    db::sources::forget_memory(&tx, source.id).await?;
    deliveries::set_outcome(&tx, delivery.id, &outcome).await?;
    tx.commit().await?;
    Ok(true)
}

fn said(builds: &[rows::Build]) -> String {
    match builds {
        [] => "no new build".to_owned(),
        some => {
            let numbers: Vec<String> = some.iter().map(|build| build.number.to_string()).collect();
            format!("build {}", numbers.join(", "))
        }
    }
}

/// The ref has moved on: a comparison finds what is missing.
async fn outdated(app: &App, delivery: &rows::HookDelivery, source_id: Uuid) -> Result<()> {
    let tx = app.db.begin().await?;
    deliveries::set_outcome(&tx, delivery.id, "the ref had moved on when this came").await?;
    compare(app, &tx, source_id).await?;
    tx.commit().await
}

async fn compare(app: &App, tx: &Tx, source_id: Uuid) -> Result<()> {
    enqueue(app, tx, &Task::PollSource { source_id }, Some(format!("poll:{source_id}"))).await
}

async fn finish(app: &App, delivery_id: Uuid, outcome: &str) -> Result<()> {
    let tx = app.db.begin().await?;
    deliveries::set_outcome(&tx, delivery_id, outcome).await?;
    tx.commit().await
}
