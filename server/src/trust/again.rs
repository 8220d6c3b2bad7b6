//! Signing again: after a namespace's key changed, every image that a build made and that is kept gets a signature of the
//! new one, also what no tag names, since clusters pin digests. Only then `cosign.pub` answers with the new key.
//!
//! That a build made it is the one reason to sign: whoever pushes can hide signatures, and whoever has an old key can
//! make them. When an image of a build could not be signed, the new key waits for a person.
//!
//! ```text
//! key changes ──► a run begins ──► manifests, oldest first, in small steps ──► the key is published
//! ```
//! A step that is done twice is as one: what has the signature is left alone.

use super::Place;
use super::keys;
use super::signature::{self, ARTIFACT_TYPE, Stored};
use crate::app::App;
use crate::db::signing_runs::{Candidate, Step};
use crate::db::{self, Tx, rows};
use crate::error::{Error, Result};
use crate::jobs::{self, Task};
use crate::names::Digest;
use crate::policy::Principal;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Manifests of one step; each that is signed is a transaction.
const STEP: u64 = 50;
/// Steps of one job; then others get their turn.
const STEPS: usize = 10;
/// Times that others may change an image's signatures between our look and our lock.
const MOST_TURNS: usize = 5;

/// At the start of the server: the master key must open what signs, images of the version before are signed again, and
/// what was begun goes on.
pub async fn at_start(app: &App) -> Result<()> {
    for key in db::keys::all(&app.db).await?.iter().filter(|key| key.retired_at.is_none()) {
        keys::signer(app, key)?;
    }
    if db::keys::instance(&app.db).await?.is_some() {
        for namespace_id in db::signing_runs::namespaces_without_key(&app.db, ARTIFACT_TYPE).await? {
            let tx = app.db.begin().await?;
            let key = keys::generate(app, namespace_id)?;
            if db::keys::insert_if_none(&tx, key.clone()).await? {
                keys::note(app, &tx, &Principal::SYSTEM, "key.made", namespace_id, &key).await?;
                begin(app, &tx, namespace_id, key.id).await?;
            }
            tx.commit().await?;
        }
        let tx = app.db.begin().await?;
        retire_instance_key(app, &tx).await?;
        tx.commit().await?;
    }
    resume(app).await
}

/// Asks for the jobs of runs that are not through and have none.
pub async fn resume(app: &App) -> Result<()> {
    let unfinished = db::signing_runs::unfinished(&app.db).await?;
    if unfinished.is_empty() {
        return Ok(());
    }
    let open = jobs::open(app, &Task::SignAgain { namespace_id: Uuid::nil() }).await?;
    let tx = app.db.begin().await?;
    for namespace_id in unfinished {
        if !open.contains(&Task::SignAgain { namespace_id }) {
            enqueue(app, &tx, namespace_id).await?;
        }
    }
    tx.commit().await
}

async fn enqueue(app: &App, tx: &Tx, namespace_id: Uuid) -> Result<()> {
    jobs::enqueue(app, tx, &Task::SignAgain { namespace_id }, Some(format!("sign_again {namespace_id}"))).await
}

/// Begins from the first manifest, in the place of a run before.
pub(super) async fn begin(app: &App, tx: &Tx, namespace_id: Uuid, key_id: Uuid) -> Result<()> {
    let run = rows::SigningRun {
        id: Uuid::now_v7(),
        namespace_id,
        key_id,
        total: db::signing_runs::count_candidates(tx, namespace_id, ARTIFACT_TYPE).await?,
        looked: 0,
        signed: 0,
        skipped: 0,
        cursor: None,
        started_at: app.clock.now(),
        finished_at: None,
    };
    db::signing_runs::begin(tx, run).await?;
    enqueue(app, tx, namespace_id).await
}

/// Goes on with a namespace's run, for a while.
pub async fn sign_again(app: &App, namespace_id: Uuid) -> Result<()> {
    for _ in 0..STEPS {
        let found = db::signing_runs::find(&app.db, namespace_id).await?;
        let Some(run) = found.filter(|run| run.finished_at.is_none()) else { return Ok(()) };
        step(app, &run).await?;
    }
    let tx = app.db.begin().await?;
    enqueue(app, &tx, namespace_id).await?;
    tx.commit().await
}

pub(super) async fn step(app: &App, run: &rows::SigningRun) -> Result<()> {
    let page = db::signing_runs::candidates(&app.db, run.namespace_id, ARTIFACT_TYPE, run.cursor, STEP).await?;
    let Some((last, ..)) = page.last() else { return finish(app, run).await };
    let mut done = Step { looked: i64::try_from(page.len()).unwrap_or_default(), ..Step::default() };
    let mut of_repository: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for (_, repository_id, digest) in &page as &[Candidate] {
        of_repository.entry(*repository_id).or_default().push(digest.clone());
    }
    let namespace = db::namespaces::find(&app.db, run.namespace_id).await?.map(|n| n.name).unwrap_or_default();
    for (repository_id, digests) in of_repository {
        // Whoever deletes it meanwhile takes its images along.
        let Some(repository) = db::repositories::find(&app.db, repository_id).await? else { continue };
        let place = Place::new(&repository, format!("{namespace}/{}", repository.name));
        for digest in db::signing_runs::built(&app.db, repository_id, &digests).await? {
            match again(app, &repository, &place, &Digest::trusted(&digest)).await {
                Ok(()) => done.signed += 1,
                // Somebody deleted it meanwhile.
                Err(Error::NotFound(_)) => {}
                Err(error @ (Error::Unavailable(_) | Error::Full)) => return Err(error),
                Err(error) if db::failed(&error) => return Err(error),
                Err(error) => {
                    done.skipped += 1;
                    tracing::warn!("{}@{digest} was not signed again: {}", place.name, error.for_log());
                }
            }
        }
    }
    let tx = app.db.begin().await?;
    if db::signing_runs::advance(&tx, run, *last, done).await? {
        let (looked, signed) = (run.looked + done.looked, run.signed + done.signed);
        tracing::info!("{namespace}: {looked} of {} manifests were looked at, {signed} are signed again", run.total);
    }
    tx.commit().await
}

/// Signs an image that a build made; what has the signature already is left as it is.
pub(super) async fn again(app: &App, repository: &rows::Repository, place: &Place, digest: &Digest) -> Result<()> {
    for _ in 0..MOST_TURNS {
        let signed = signature::sign(app, repository, &place.name, digest).await?;
        let tx = app.db.begin().await?;
        if signature::store(app, &tx, &Principal::SYSTEM, repository, &signed).await? == Stored::Yes {
            return tx.commit().await;
        }
    }
    Err(Error::Unavailable("the image's signatures change faster than we read".into()))
}

/// Signs an image of a build again, now that there is a bundle beside which clients look for ours.
pub async fn add_bundle(app: &App, repository_id: Uuid, digest: &Digest) -> Result<()> {
    let Some(repository) = db::repositories::find(&app.db, repository_id).await? else { return Ok(()) };
    let Some(namespace) = db::namespaces::find(&app.db, repository.namespace_id).await? else { return Ok(()) };
    if db::signing_runs::built(&app.db, repository_id, &[digest.to_string()]).await?.is_empty() {
        return Ok(());
    }
    let place = Place::new(&repository, format!("{}/{}", namespace.name, repository.name));
    match again(app, &repository, &place, digest).await {
        // Somebody deleted it meanwhile.
        Err(Error::NotFound(_)) => Ok(()),
        other => other,
    }
}

/// The end of a run: the key becomes the one that `cosign.pub` answers with, unless something is not signed with it.
async fn finish(app: &App, run: &rows::SigningRun) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let active = db::keys::lock_active(&tx, run.namespace_id).await?.filter(|key| key.id == run.key_id);
    if let Some(key) = active
        && db::signing_runs::finish(&tx, run.id, now).await?
    {
        if run.skipped == 0 || key.published_at.is_some() {
            publish(app, &tx, &Principal::SYSTEM, &key).await?;
            tracing::info!("{} signs what was kept, and is published: {} images", key.fingerprint, run.signed);
        } else {
            tracing::error!("{} is not published: {} images could not be signed with it", key.fingerprint, run.skipped);
        }
    }
    tx.commit().await
}

/// `cosign.pub` answers with the key from now on.
pub(super) async fn publish(app: &App, tx: &Tx, by: &Principal, key: &rows::SigningKey) -> Result<()> {
    if key.published_at.is_none() {
        db::keys::publish(tx, key.id, app.clock.now()).await?;
    }
    keys::note(app, tx, by, "key.published", key.namespace_id.unwrap_or_default(), key).await?;
    retire_instance_key(app, tx).await
}

/// Once no namespace hangs on the instance's key any longer, it answers for no name.
pub(super) async fn retire_instance_key(app: &App, tx: &Tx) -> Result<()> {
    // One after the other: of two namespaces that come to their end at once, the second one sees the first.
    let Some(key) = db::keys::lock_instance(tx).await? else { return Ok(()) };
    if db::keys::any_unpublished(tx).await? {
        return Ok(());
    }
    db::keys::retire(tx, key.id, app.clock.now()).await?;
    tracing::info!("the instance's key {} is retired: every namespace has its own", key.fingerprint);
    Ok(())
}
