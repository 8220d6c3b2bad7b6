//! Sigstore bundles: where an image has one, clients look for signatures at no tag, so the server's has to be there too.

use super::super::document::Document;
use crate::app::App;
use crate::clock::MINUTE;
use crate::db::manifests::Facts;
use crate::db::{self, EdgeKind, Tx, rows};
use crate::error::Result;
use crate::jobs::{self, Task};
use crate::names::Digest;
use uuid::Uuid;

/// How the media types of bundles begin.
pub(super) const BUNDLE_FAMILY: &str = "application/vnd.dev.sigstore.bundle";

/// What a manifest has a bundle about, if it has one, whatever its artifact type says: clients look at the layer.
pub(super) fn subject(document: &Document) -> Option<&Digest> {
    let mut layers = document.edges.iter().filter(|edge| matches!(edge.kind, EdgeKind::Layer | EdgeKind::Blob));
    document.subject.as_ref().filter(|_| layers.any(|edge| edge.media_type.starts_with(BUNDLE_FAMILY)))
}

/// The image of a build that this manifest puts a bundle beside, if it does. The job that adds the server's own stands in
/// the transaction that stores the bundle, so that no failure in between leaves the image without; whoever stores it adds
/// the server's at once, and the job then finds it there.
pub(super) async fn note(
    app: &App,
    tx: &Tx,
    repository: &rows::Repository,
    document: &Document,
) -> Result<Option<Digest>> {
    let Some(subject) = subject(document) else { return Ok(None) };
    let is_built = ask(app, tx, repository.id, subject.as_str()).await?;
    Ok(is_built.then(|| subject.clone()))
}

/// A bundle is deleted: where it is the server's and others stay, the job makes it anew.
pub(super) async fn taken(app: &App, tx: &Tx, repository_id: Uuid, manifest: &Facts) -> Result<()> {
    if manifest.artifact_type.as_deref().is_none_or(|kind| !kind.starts_with(BUNDLE_FAMILY)) {
        return Ok(());
    }
    for (_, subject) in db::manifests::subjects(tx, repository_id, std::slice::from_ref(&manifest.digest)).await? {
        if let Some(subject) = subject {
            ask(app, tx, repository_id, &subject).await?;
        }
    }
    Ok(())
}

/// Asks for the job, for an image that a build made; false for others.
async fn ask(app: &App, tx: &Tx, repository_id: Uuid, subject: &str) -> Result<bool> {
    if db::signing_runs::built(tx, repository_id, &[subject.to_owned()]).await?.is_empty() {
        return Ok(false);
    }
    let task = Task::AddBundle { repository_id, digest: subject.to_owned() };
    let key = format!("add_bundle {repository_id} {subject}");
    jobs::enqueue_at(app, tx, &task, Some(key), app.clock.now() + MINUTE).await?;
    Ok(true)
}
