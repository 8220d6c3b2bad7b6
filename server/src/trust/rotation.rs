//! A namespace's key is changed: rotated, which unverifies nothing, or revoked, which unverifies what it signed.

use super::keys;
use super::{again, signing};
use crate::app::App;
use crate::clock::{self, Millis};
use crate::db::{self, Tx, rows};
use crate::error::{Error, Result};
use crate::policy::{Allowed, ManageSigningKey, Principal};
use uuid::Uuid;

/// Keys that a namespace may get in a day by rotation: signatures are held against each of them.
const MOST_A_DAY: u64 = 10;

/// The keys of a namespace and how far signing again is.
#[derive(Debug)]
pub struct KeyState {
    /// The one that signs; `None` before the first signature.
    pub active: Option<rows::SigningKey>,
    /// The one that `cosign.pub` answers with.
    pub published: Option<rows::SigningKey>,
    /// Those before, the newest first.
    pub old: Vec<rows::SigningKey>,
    /// Still older ones.
    pub older: u64,
    pub run: Option<rows::SigningRun>,
}

impl KeyState {
    /// Whether images are being signed again.
    pub fn is_changing(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.finished_at.is_none())
    }

    /// Whether the key waits for a person: not everything could be signed with it.
    pub fn is_held(&self) -> bool {
        let ended = self.run.as_ref().is_some_and(|run| run.finished_at.is_some() && run.skipped > 0);
        ended && self.active.as_ref().is_some_and(|key| key.published_at.is_none())
    }
}

pub async fn state_of(app: &App, namespace_id: Uuid) -> Result<KeyState> {
    let mut all = db::keys::of_namespace(&app.db, namespace_id).await?;
    all.retain(|key| key.namespace_id.is_some());
    let older = db::keys::count_made(&app.db, namespace_id, Millis::MIN).await?.saturating_sub(all.len() as u64);
    let active = all.iter().position(|key| key.retired_at.is_none()).map(|at| all.remove(at));
    Ok(KeyState {
        active,
        published: keys::published(&app.db, namespace_id).await?,
        old: all,
        older,
        run: db::signing_runs::find(&app.db, namespace_id).await?,
    })
}

/// Makes a new key, with which everything that builds made is signed again; only then it is published. What the key
/// before signed stays verified. Returns the new key's fingerprint.
pub async fn rotate(app: &App, allowed: &Allowed<ManageSigningKey>) -> Result<String> {
    let namespace_id = allowed.on().id;
    let tx = app.db.begin().await?;
    let Some(old) = db::keys::lock_active(&tx, namespace_id).await? else { return Err(no_key(allowed)) };
    if db::signing_runs::find(&tx, namespace_id).await?.is_some_and(|run| run.finished_at.is_none()) {
        return Err(Error::Conflict(
            "images are still being signed again after the last change of the key; wait until that is done".into(),
        ));
    }
    let now = app.clock.now();
    if db::keys::count_made(&tx, namespace_id, now - clock::DAY).await? >= MOST_A_DAY {
        return Err(Error::Conflict(format!(
            "the key was changed {MOST_A_DAY} times in a day; rotate it tomorrow. A key that leaked can be revoked at any time"
        )));
    }
    db::keys::retire(&tx, old.id, now).await?;
    let new = replace(app, &tx, allowed.principal(), namespace_id).await?;
    keys::note(app, &tx, allowed.principal(), "key.rotated", namespace_id, &new).await?;
    tx.commit().await?;
    Ok(new.fingerprint)
}

/// From now on nothing is verified by the key of that fingerprint, or by the one that signs when none is named. What
/// builds made with it is signed again. Returns the fingerprint.
pub async fn revoke(app: &App, allowed: &Allowed<ManageSigningKey>, fingerprint: Option<&str>) -> Result<String> {
    let (namespace_id, by) = (allowed.on().id, allowed.principal());
    let tx = app.db.begin().await?;
    // Before the key itself, so that two changes at once come one after the other.
    let active = db::keys::lock_active(&tx, namespace_id).await?;
    let key = match fingerprint.filter(|typed| !typed.trim().is_empty()) {
        Some(typed) => {
            let found = db::keys::find(&tx, namespace_id, &signing::normal(typed)).await?;
            // The instance's key is everybody's, so it is no namespace's to revoke.
            let own = found.filter(|key| key.namespace_id.is_some());
            own.ok_or_else(|| Error::Absent(format!("`{}` has no key with that fingerprint", allowed.on().name)))?
        }
        None => active.clone().ok_or_else(|| no_key(allowed))?,
    };
    if key.revoked_at.is_some() {
        return Err(Error::Conflict(format!("{} is revoked already", key.fingerprint)));
    }
    let now = app.clock.now();
    let answered = db::keys::published(&tx, namespace_id).await?;
    db::keys::revoke(&tx, key.id, now).await?;
    keys::note(app, &tx, by, "key.revoked", namespace_id, &key).await?;
    let active = match active.filter(|active| active.id != key.id) {
        // Images that only the revoked key signed may be left.
        Some(active) => {
            again::begin(app, &tx, namespace_id, active.id).await?;
            active
        }
        None => replace(app, &tx, by, namespace_id).await?,
    };
    if answered.is_some_and(|answered| answered.id == key.id) {
        // A key that anybody may have is worse at `cosign.pub` than one that has not signed everything yet. Nor does an
        // older one come back there: it would sign again.
        db::keys::publish(&tx, active.id, now).await?;
        again::retire_instance_key(app, &tx).await?;
    }
    tx.commit().await?;
    Ok(key.fingerprint)
}

/// Publishes a key though not everything could be signed with it. Returns its fingerprint.
pub async fn publish(app: &App, allowed: &Allowed<ManageSigningKey>) -> Result<String> {
    let namespace_id = allowed.on().id;
    let tx = app.db.begin().await?;
    let active = db::keys::lock_active(&tx, namespace_id).await?.ok_or_else(|| no_key(allowed))?;
    let is_through = db::signing_runs::find(&tx, namespace_id).await?.is_none_or(|run| run.finished_at.is_some());
    if active.published_at.is_some() || !is_through {
        let why = if is_through { "is published already" } else { "is published once everything is signed with it" };
        return Err(Error::Conflict(format!("{} {why}", active.fingerprint)));
    }
    again::publish(app, &tx, allowed.principal(), &active).await?;
    tx.commit().await?;
    Ok(active.fingerprint)
}

/// Revokes the key that signed for all of the instance: the operator's business. Images that builds made with it are
/// signed again as they would be anyway.
pub async fn revoke_instance_key(app: &App) -> Result<String> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let Some(key) = db::keys::revocable_instance(&tx).await? else {
        return Err(Error::Absent("there is no key of the whole instance left to revoke".into()));
    };
    // Keys of namespaces before the instance's, as at the end of a run.
    db::keys::publish_all(&tx, now).await?;
    db::keys::revoke(&tx, key.id, now).await?;
    keys::note(app, &tx, &Principal::SYSTEM, "key.revoked", Uuid::nil(), &key).await?;
    tx.commit().await?;
    Ok(key.fingerprint)
}

/// A new key that signs everything again.
async fn replace(app: &App, tx: &Tx, by: &Principal, namespace_id: Uuid) -> Result<rows::SigningKey> {
    let new = keys::generate(app, namespace_id)?;
    if !db::keys::insert_if_none(tx, new.clone()).await? {
        return Err(Error::Conflict("somebody else changes the key at this moment".into()));
    }
    keys::note(app, tx, by, "key.made", namespace_id, &new).await?;
    again::begin(app, tx, namespace_id, new.id).await?;
    Ok(new)
}

fn no_key(allowed: &Allowed<ManageSigningKey>) -> Error {
    let text = format!("`{}` has signed nothing yet; its key is made with the first image", allowed.on().name);
    Error::Conflict(text)
}
