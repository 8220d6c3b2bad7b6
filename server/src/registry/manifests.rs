//! Storing and finding manifests.

pub mod accessories;
mod bundles;
mod check;
mod condition;
mod store;

pub use check::check_pushed;
pub use condition::{Condition, allows_part};
pub use store::{Push, Pushed, insert_own, put};

use super::document::MOST_BYTES;
use super::tags;
use crate::app::App;
use crate::db::{self, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::{Digest, Reference};
use crate::policy::{Allowed, DeleteImage, PullImage};
use uuid::Uuid;

fn unknown(reference: &Reference) -> Error {
    Error::registry(OciCode::ManifestUnknown, format!("manifest `{reference}` is not in this repository"))
}

/// The manifest behind a tag or digest.
pub async fn get(app: &App, allowed: &Allowed<PullImage>, reference: &Reference) -> Result<rows::Manifest> {
    let repository_id = allowed.on().id;
    let digest = match reference {
        Reference::Digest(digest) => digest.to_string(),
        Reference::Tag(tag) => {
            db::tags::find(&app.db, repository_id, tag.as_str()).await?.ok_or_else(|| unknown(reference))?.digest
        }
    };
    db::manifests::find(&app.db, repository_id, &digest).await?.ok_or_else(|| unknown(reference))
}

pub async fn find(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Option<rows::Manifest>> {
    db::manifests::find(&app.db, repository_id, digest.as_str()).await
}

/// As `find`, without the body.
pub async fn find_facts(app: &App, repository_id: Uuid, digest: &Digest) -> Result<Option<db::manifests::Facts>> {
    db::manifests::find_facts(&app.db, repository_id, digest.as_str()).await
}

/// The body of a manifest; `None` when it is absent or larger than `limit` bytes.
pub async fn find_small(app: &App, repository_id: Uuid, digest: &Digest, limit: i64) -> Result<Option<rows::Manifest>> {
    db::manifests::find_small(&app.db, repository_id, digest.as_str(), limit).await
}

/// Deletes a tag, or a manifest with all tags on it.
pub async fn delete(app: &App, allowed: &Allowed<DeleteImage>, reference: &Reference) -> Result<()> {
    delete_if(app, allowed, reference, &Condition::default()).await
}

/// As `delete`, where what is stored is as the request wants it.
pub async fn delete_if(
    app: &App,
    allowed: &Allowed<DeleteImage>,
    reference: &Reference,
    condition: &Condition,
) -> Result<()> {
    match reference {
        Reference::Tag(tag) => {
            let on = allowed.on();
            let tx = app.db.begin().await?;
            db::repositories::lock(&tx, on.id).await?;
            let row = db::tags::find(&tx, on.id, tag.as_str()).await?.ok_or_else(|| unknown(reference))?;
            condition.check(Some(&row.digest))?;
            tags::delete(app, &tx, allowed, &row).await?;
            tx.commit().await?;
        }
        // The tags go a few hundred at a time, so that other writers come in between, and the manifest with the last of
        // them. A tag that is gone has its move, and one that is left still names a manifest that is there: whatever
        // breaks off in the middle leaves nothing wrong, and deleting again does the rest.
        Reference::Digest(digest) => while !delete_some(app, allowed, digest, condition).await? {},
    }
    app.wake.changed(allowed.on().id);
    Ok(())
}

/// Deletes some tags on a manifest, and the manifest when none is left: then the answer is true.
async fn delete_some(
    app: &App,
    allowed: &Allowed<DeleteImage>,
    digest: &Digest,
    condition: &Condition,
) -> Result<bool> {
    let on = allowed.on();
    let unknown = || unknown(&Reference::Digest(digest.clone()));
    let tx = app.db.begin().await?;
    db::repositories::lock(&tx, on.id).await?;
    let row = db::manifests::find_facts(&tx, on.id, digest.as_str()).await?.ok_or_else(unknown)?;
    condition.check(Some(&row.digest))?;
    if db::manifests::has_parent(&tx, on.id, digest).await? {
        return Err(Error::Conflict(format!(
            "{digest} is part of an image index in this repository; delete that first"
        )));
    }
    let is_last = tags::delete_some(app, &tx, allowed, digest).await? == 0;
    if is_last {
        bundles::taken(app, &tx, on.id, &row).await?;
        db::manifests::delete(&tx, row.id).await?;
    }
    tx.commit().await?;
    Ok(is_last)
}

/// Referrers that the server made, which come first: signatures. An image has two of each key, and their older versions.
const MOST_OWN: u64 = 20;

/// Manifests that name `subject`, of this type if one is named, by digest from `after` on; and whether there are more.
/// A page ends after `limit` of them, or with 4 MiB of their bodies.
///
/// A long first page begins with what the server made, the newest first, and no later one has it: clients that read one
/// page only find our signatures, however many others there are.
pub async fn referrers_page(
    app: &App,
    allowed: &Allowed<PullImage>,
    subject: &Digest,
    artifact_type: Option<&str>,
    after: &str,
    limit: u64,
) -> Result<(Vec<rows::Manifest>, bool)> {
    let repository_id = allowed.on().id;
    let own = if limit > MOST_OWN {
        db::manifests::own_referrers(&app.db, repository_id, subject, artifact_type, MOST_OWN).await?
    } else {
        Vec::new()
    };
    let asked = limit + MOST_OWN + 1;
    let mut facts = db::manifests::referrers(&app.db, repository_id, subject, artifact_type, after, asked).await?;
    facts.retain(|one| own.iter().all(|own| own.id != one.id));
    let first_other = if after.is_empty() { own.len() } else { 0 };
    facts.splice(0..0, own.into_iter().take(first_other));
    let mut bytes = 0;
    let fits = |(number, one): &(usize, &db::manifests::Facts)| {
        bytes += usize::try_from(one.size_bytes).unwrap_or(usize::MAX);
        // One at least, and of those by whose digest the next page begins.
        *number == 0 || *number == first_other || bytes <= MOST_BYTES
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let wanted: Vec<String> =
        facts.iter().take(most).enumerate().take_while(fits).map(|(_, one)| one.digest.clone()).collect();
    let mut found = db::manifests::find_all(&app.db, repository_id, &wanted).await?;
    found.sort_by_key(|one| wanted.iter().position(|digest| *digest == one.digest));
    Ok((found, wanted.len() < facts.len()))
}
