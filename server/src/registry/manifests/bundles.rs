//! Sigstore bundles: where an image has one, clients look for signatures at no tag, so the server's has to be there too.

use super::super::document::Document;
use crate::app::App;
use crate::clock::MINUTE;
use crate::db::{self, EdgeKind, Tx, rows};
use crate::error::Result;
use crate::jobs::{self, Task};
use crate::names::Digest;

/// How the media types of bundles begin.
pub const BUNDLE_FAMILY: &str = "application/vnd.dev.sigstore.bundle";

/// The image of a build that this manifest puts a bundle beside, if it does. The job that adds the server's own stands in
/// the transaction that stores the bundle, so that no failure in between leaves the image without; whoever stores it adds
/// the server's at once, and the job then finds it there.
pub(super) async fn note(
    app: &App,
    tx: &Tx,
    repository: &rows::Repository,
    document: &Document,
) -> Result<Option<Digest>> {
    let Some(subject) = &document.subject else { return Ok(None) };
    let mut layers = document.edges.iter().filter(|edge| edge.kind != EdgeKind::Config);
    if !layers.any(|edge| edge.media_type.starts_with(BUNDLE_FAMILY)) {
        return Ok(None);
    }
    if db::signing_runs::built(tx, repository.id, &[subject.to_string()]).await?.is_empty() {
        return Ok(None);
    }
    let task = Task::AddBundle { repository_id: repository.id, digest: subject.to_string() };
    let key = format!("add_bundle {} {subject}", repository.id);
    jobs::enqueue_at(app, tx, &task, Some(key), app.clock.now() + MINUTE).await?;
    Ok(Some(subject.clone()))
}
