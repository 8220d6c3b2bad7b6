//! Keys: one signs for each namespace, made at its first signature and encrypted with the master key.
//!
//! Before that, one key signed for all of the instance. It is good until what it signed is signed again.

use super::decoy;
use super::signing::{self, Signer};
use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, Ask, Tx, rows};
use crate::error::{Error, Result};
use crate::names::NamespaceName;
use crate::policy::Principal;
use crate::secrets::{MasterKey, Place};
use serde_json::json;
use uuid::Uuid;

fn place(row: Uuid) -> Place {
    Place { table: "signing_key", column: "private_encrypted", row }
}

/// A new key of a namespace; no row yet.
pub(super) fn generate(app: &App, namespace_id: Uuid) -> Result<rows::SigningKey> {
    let (public_pem, private) = signing::generate()?;
    let id = Uuid::now_v7();
    Ok(rows::SigningKey {
        id,
        scope: db::keys::NAMESPACE.to_owned(),
        namespace_id: Some(namespace_id),
        algorithm: signing::ALGORITHM.to_owned(),
        fingerprint: signing::fingerprint(&public_pem)?,
        public_pem,
        private_encrypted: app.master_key.seal_text(place(id), &private),
        created_at: app.clock.now(),
        retired_at: None,
        published_at: None,
        revoked_at: None,
    })
}

/// Writes what happened to a key.
pub(super) async fn note(
    app: &App,
    tx: &Tx,
    by: &Principal,
    kind: &'static str,
    namespace_id: Uuid,
    key: &rows::SigningKey,
) -> Result<()> {
    let namespace = db::namespaces::find(tx, namespace_id).await?.map(|n| n.name).unwrap_or_default();
    let event = NewEvent {
        kind,
        namespace_id: Some(namespace_id).filter(|id| !id.is_nil()),
        repository_id: None,
        subject: namespace,
        cause: None,
        body: json!({"fingerprint": key.fingerprint, "scope": key.scope}),
    };
    db::events::add(tx, by, event, app.clock.now()).await
}

/// Makes the namespace's first key, which is published at once: nothing hangs on another one.
async fn make_first(app: &App, namespace_id: Uuid) -> Result<()> {
    let mut key = generate(app, namespace_id)?;
    key.published_at = Some(key.created_at);
    let tx = app.db.begin().await?;
    if db::keys::insert_if_none(&tx, key.clone()).await? {
        note(app, &tx, &Principal::SYSTEM, "key.made", namespace_id, &key).await?;
    }
    tx.commit().await
}

/// The keys that sign for a namespace now: its own, and the published one as long as that is another.
pub(super) async fn signing_now(app: &App, namespace_id: Uuid) -> Result<Vec<(rows::SigningKey, Signer)>> {
    if db::keys::active(&app.db, namespace_id).await?.is_none() {
        make_first(app, namespace_id).await?;
    }
    let active = db::keys::active(&app.db, namespace_id).await?;
    let rows = with_published(&app.db, namespace_id, active).await?;
    if rows.is_empty() {
        return Err(Error::Unavailable("the namespace's key is being changed; ask again".into()));
    }
    rows.into_iter().map(|row| signer(app, &row).map(|signer| (row, signer))).collect()
}

/// The ids of the keys that sign for a namespace, which stay so until the transaction ends.
pub(super) async fn hold(tx: &Tx, namespace_id: Uuid) -> Result<Vec<Uuid>> {
    let active = db::keys::hold_active(tx, namespace_id).await?;
    Ok(with_published(tx, namespace_id, active).await?.into_iter().map(|key| key.id).collect())
}

async fn with_published(
    c: &impl Ask,
    namespace_id: Uuid,
    active: Option<rows::SigningKey>,
) -> Result<Vec<rows::SigningKey>> {
    let mut keys: Vec<_> = active.into_iter().collect();
    if keys.iter().any(|key| key.published_at.is_none())
        && let Some(published) = published(c, namespace_id).await?
    {
        keys.push(published);
    }
    Ok(keys)
}

/// What `cosign.pub` answers with, as far as it is a key that signs: the namespace's, else the instance's.
pub(super) async fn published(c: &impl Ask, namespace_id: Uuid) -> Result<Option<rows::SigningKey>> {
    match db::keys::published(c, namespace_id).await? {
        Some(own) => Ok(Some(own)),
        None => db::keys::instance(c).await,
    }
}

pub(super) fn signer(app: &App, row: &rows::SigningKey) -> Result<Signer> {
    Signer::new(&app.master_key.open_text(place(row.id), &row.private_encrypted)?)
}

/// Whether this master key is the one that the key was encrypted with.
pub fn opens(master_key: &MasterKey, row: &rows::SigningKey) -> bool {
    master_key.open(place(row.id), &row.private_encrypted).is_ok()
}

/// What `cosign verify --key` takes, for any text in the place of a namespace's name: the answer does not tell whether
/// there is such a namespace. While images still hang on the instance's key, it is what names without a key answer with.
pub async fn public_key(app: &App, namespace: &str) -> Result<String> {
    let decoy = decoy::public_key(&app.master_key, namespace)?;
    let found = published(&app.db, id_of(app, namespace).await?).await?;
    Ok(found.map_or(decoy, |key| key.public_pem))
}

/// The key of that fingerprint, if it is or was one of the name.
pub async fn public_key_of(app: &App, namespace: &str, fingerprint: &str) -> Result<String> {
    let fingerprint = signing::normal(fingerprint);
    let decoy = decoy::public_key(&app.master_key, namespace)?;
    let found = db::keys::find(&app.db, id_of(app, namespace).await?, &fingerprint).await?;
    // Whoever asked before the name was taken has its fingerprint, and would see that it is gone.
    let is_decoy = signing::fingerprint(&decoy)? == fingerprint;
    let found = found.map(|key| key.public_pem).or(is_decoy.then_some(decoy));
    found.ok_or_else(|| Error::not_found("a key of that fingerprint"))
}

/// An id that no namespace has for a name that none has: the same questions follow.
async fn id_of(app: &App, namespace: &str) -> Result<Uuid> {
    let Ok(name) = namespace.parse::<NamespaceName>() else { return Ok(Uuid::nil()) };
    let found = db::namespaces::find_by_name(&app.db, name.as_str()).await?;
    Ok(found.map_or(Uuid::nil(), |namespace| namespace.id))
}

/// The namespace's key, as its first signature makes it.
#[cfg(test)]
pub(crate) async fn make_key(app: &App, namespace_id: Uuid) -> rows::SigningKey {
    make_first(app, namespace_id).await.unwrap();
    db::keys::active(&app.db, namespace_id).await.unwrap().unwrap()
}

/// The key of the version before, for tests of what it left.
#[cfg(test)]
pub(crate) async fn make_instance_key(app: &App) -> rows::SigningKey {
    let mut key = generate(app, Uuid::nil()).unwrap();
    key.scope = db::keys::INSTANCE.to_owned();
    key.namespace_id = None;
    key.published_at = Some(key.created_at);
    let tx = app.db.begin().await.unwrap();
    db::keys::insert_if_none(&tx, key.clone()).await.unwrap();
    tx.commit().await.unwrap();
    key
}
