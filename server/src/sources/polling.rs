//! Asking the forge where the refs are, and comparing: for sources without a working webhook, and now and then for all,
//! because GitHub sends nothing for a push of more than three tags and never sends twice.

mod due;

pub use due::{after_delivery, due, is_due_soon, is_wanted};

use super::{Link, pushes};
use crate::app::App;
use crate::clock::{HOUR, MINUTE, Millis, SECOND};
use crate::db::{self, HookState, SourceState, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{Changed, Commit, Heads};
use crate::jobs::{self, Task};
use crate::names::{CommitHash, RefName};
use futures_util::StreamExt as _;
use std::collections::{HashMap, HashSet};

/// What a webhook told of in this time is newer than what the forge's API may say.
const SETTLE: Millis = MINUTE;
/// Refs that one look takes in; the next look takes the rest.
const MOST_CHANGES: usize = 100;
const AT_ONCE: usize = 4;
/// Refs that one transaction forgets.
const MOST_FORGOTTEN: usize = 100;
const BATCH: u64 = 200;

/// Looks at all sources that are due, a few at once; not beside another such pass: where the forge hangs, each would take
/// a worker from the other jobs.
pub async fn poll_due(app: &App) -> Result<()> {
    let Ok(_pass) = app.polls.try_lock() else { return Ok(()) };
    let sources = due(app, BATCH).await?;
    futures_util::stream::iter(sources)
        .for_each_concurrent(AT_ONCE, async |source| {
            if let Err(error) = Box::pin(claim(app, &source)).await {
                tracing::error!(source.id = %source.id, "source {} was not polled: {}", source.full_name, error.for_log());
            }
        })
        .await;
    Ok(())
}

/// Looks at a source that no other server looks at.
async fn claim(app: &App, source: &rows::Source) -> Result<()> {
    let tx = app.db.begin().await?;
    let is_ours = db::sources::claim_poll(&tx, source, app.clock.now()).await?;
    tx.commit().await?;
    if is_ours { poll(app, source).await } else { Ok(()) }
}

/// Compares the forge's branches and tags with what we know. How it went is kept with the source;
/// an error is one of our own.
pub async fn poll(app: &App, source: &rows::Source) -> Result<()> {
    let link = match super::link(app, source).await {
        Ok(link) => link,
        Err(error) => return note_failure(app, source, None, error).await,
    };
    match look(app, source, &link).await {
        Err(error @ (Error::Forge(_) | Error::Unavailable(_))) => note_failure(app, source, Some(&link), error).await,
        other => other,
    }
}

async fn look(app: &App, source: &rows::Source, link: &Link) -> Result<()> {
    let began = app.clock.now();
    let memory = source.poll_etag.as_deref().filter(|_| source.state == SourceState::Active);
    let heads = match link.forge.heads(&source.remote_id, memory).await? {
        Changed::Nothing => {
            // A name and whether it is private are no refs: asked for now and then all the same.
            if source.polled_at.is_none_or(|at| at / due::RECONCILE != began / due::RECONCILE) {
                note_facts(app, source, link).await?;
            }
            return note_success(app, source, None).await;
        }
        Changed::New(heads) => heads,
    };
    let is_current = note_facts(app, source, link).await?;
    let mut outcome = compare(app, source, link, &heads, began).await?;
    outcome.is_whole &= is_current;
    let is_trusted = source.hook_state != HookState::Active || due::is_right_after_delivery(source, began);
    if let Some(branch) = outcome.missed_branch.filter(|_| !is_trusted) {
        distrust_hook(app, source, &branch).await?;
    }
    // With something left out, the next look must not hear "nothing changed".
    let memory = if outcome.is_whole { heads.memory } else { String::new() };
    note_success(app, source, Some(memory)).await?;
    // A source without a webhook is asked again soon anyhow.
    if outcome.is_whole || source.hook_state != HookState::Active {
        return Ok(());
    }
    look_again_soon(app, source).await
}

/// False when something newer was heard while the forge was asked.
async fn note_facts(app: &App, source: &rows::Source, link: &Link) -> Result<bool> {
    let facts = link.forge.repository(&source.remote_id).await?;
    let tx = app.db.begin().await?;
    let is_current = super::privacy::note_facts(app, &tx, source, facts).await?;
    tx.commit().await?;
    Ok(is_current)
}

/// What was left out waits no longer than the webhook's lead lasts.
async fn look_again_soon(app: &App, source: &rows::Source) -> Result<()> {
    let tx = app.db.begin().await?;
    db::sources::bring_forward(&tx, source.id, app.clock.now() - due::RECONCILE + SETTLE).await?;
    tx.commit().await
}

struct Outcome {
    is_whole: bool,
    /// A branch that moved without a webhook.
    missed_branch: Option<String>,
}

async fn compare(app: &App, source: &rows::Source, link: &Link, heads: &Heads, began: Millis) -> Result<Outcome> {
    let margin = if source.hook_state == HookState::Active { SETTLE } else { 0 };
    let known: HashMap<String, rows::SourceRef> =
        db::sources::refs::live(&app.db, source.id).await?.into_iter().map(|r| (r.name.clone(), r)).collect();
    let mut outcome = Outcome { is_whole: true, missed_branch: None };
    let differs = |(name, commit): &&(RefName, CommitHash)| {
        known.get(name.as_str()).is_none_or(|k| k.commit_hash != commit.as_str())
    };
    let changed: Vec<&(RefName, CommitHash)> = heads.refs.iter().filter(differs).collect();
    outcome.is_whole &= changed.len() <= MOST_CHANGES;
    for (name, commit) in changed.into_iter().take(MOST_CHANGES) {
        let before = known.get(name.as_str());
        if before.is_some_and(|k| is_fresh(k, began, margin)) {
            outcome.is_whole = false;
            continue;
        }
        let commit = match link.forge.commit(&source.remote_id, commit).await {
            Ok(commit) => commit,
            // It was replaced since, and the forge has forgotten it.
            Err(ForgeError::NotFound | ForgeError::Refused(_)) => {
                outcome.is_whole = false;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match take_in(app, source, name, &commit, before).await? {
            true if name.branch().is_some() => outcome.missed_branch = Some(name.short().to_owned()),
            true => {}
            false => outcome.is_whole = false,
        }
    }
    if heads.is_complete {
        let there: HashSet<&str> = heads.refs.iter().map(|(name, _)| name.as_str()).collect();
        let gone = known.values().filter(|k| !there.contains(k.name.as_str()));
        let (old, fresh): (Vec<_>, Vec<_>) = gone.partition(|k| !is_fresh(k, began, margin));
        outcome.is_whole &= fresh.is_empty();
        outcome.is_whole &= forget(app, source, &old).await?;
    }
    Ok(outcome)
}

/// Whether the ref moved after a look began, or so shortly before that the forge may not show it. A time far ahead is of a
/// clock that was wrong then.
fn is_fresh(known: &rows::SourceRef, began: Millis, margin: Millis) -> bool {
    known.updated_at > began - margin && known.updated_at < began + HOUR
}

/// False when one of them has moved since we looked.
async fn forget(app: &App, source: &rows::Source, gone: &[&rows::SourceRef]) -> Result<bool> {
    let mut all = true;
    for some in gone.chunks(MOST_FORGOTTEN) {
        let tx = app.db.begin().await?;
        if db::sources::lock(&tx, source.id).await?.is_none() {
            return Ok(false);
        }
        for known in some {
            all &= super::refs::forget(app, &tx, known).await?;
        }
        tx.commit().await?;
    }
    Ok(all)
}

/// False when the ref has moved since we looked: a webhook was faster, and knows more.
async fn take_in(
    app: &App,
    source: &rows::Source,
    name: &RefName,
    commit: &Commit,
    before: Option<&rows::SourceRef>,
) -> Result<bool> {
    let tx = app.db.begin().await?;
    let Some(source) = db::sources::lock(&tx, source.id).await? else { return Ok(false) };
    let now_known = super::refs::find_live(&tx, source.id, name).await?;
    if now_known.as_ref().map(|k| k.number) != before.map(|k| k.number) {
        return Ok(false);
    }
    let builds = pushes::apply(app, &tx, &source, name, commit).await?;
    tx.commit().await?;
    tracing::info!(
        source.id = %source.id,
        "polling found `{}` of {} at {}: {} builds", name.short(), source.full_name, commit.hash, builds.len()
    );
    Ok(true)
}

async fn distrust_hook(app: &App, source: &rows::Source, branch: &str) -> Result<()> {
    let detail = format!("the forge did not tell of a push to `{branch}`; asking it again");
    let tx = app.db.begin().await?;
    db::sources::set_hook(&tx, source.id, HookState::Missing, Some(detail)).await?;
    let source_id = source.id;
    jobs::enqueue(app, &tx, &Task::EnsureHook { source_id }, Some(format!("ensure-hook:{source_id}"))).await?;
    tx.commit().await
}

async fn note_success(app: &App, source: &rows::Source, memory: Option<String>) -> Result<()> {
    let tx = app.db.begin().await?;
    let now = app.clock.now();
    // A delivery in the meantime knows of what this look has not seen.
    let told = db::sources::lock(&tx, source.id).await?.is_some_and(|now| now.delivered_at != source.delivered_at);
    match memory.map(|memory| if told { String::new() } else { memory }) {
        Some(memory) => db::sources::set_polled(&tx, source.id, now, Some(memory).filter(|m| !m.is_empty())).await?,
        None => db::sources::touch_polled(&tx, source.id, now).await?,
    }
    if told {
        due::after_delivery(app, &tx, &rows::Source { polled_at: Some(now), ..source.clone() }).await?;
    }
    if source.state != SourceState::Active {
        db::sources::set_state(&tx, source.id, SourceState::Active, None).await?;
    }
    tx.commit().await
}

async fn note_failure(app: &App, source: &rows::Source, link: Option<&Link>, error: Error) -> Result<()> {
    let now = app.clock.now();
    let (state, next) = match &error {
        Error::Forge(ForgeError::RateLimited(secs)) => {
            let wait = i64::try_from(*secs).unwrap_or(3_600).min(3_600) * SECOND;
            (None, now + wait)
        }
        Error::Forge(ForgeError::Revoked) => (Some(SourceState::Disconnected), now),
        Error::Forge(ForgeError::NotFound) => (Some(SourceState::Gone), now),
        Error::Forge(_) | Error::Unavailable(_) => (Some(SourceState::Unreachable), now),
        _ => return Err(error),
    };
    let tx = app.db.begin().await?;
    db::sources::touch_polled(&tx, source.id, next).await?;
    if let (Error::Forge(ForgeError::Revoked), Some(link)) = (&error, link) {
        super::note_revoked(app, &tx, &link.connection).await?;
    }
    if let Some(state) = state {
        if source.state != state {
            tracing::warn!(source.id = %source.id, "source {} is {state}: {error}", source.full_name);
        }
        db::sources::set_state(&tx, source.id, state, Some(error.to_string())).await?;
    }
    tx.commit().await
}
