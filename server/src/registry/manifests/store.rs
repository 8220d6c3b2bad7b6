//! Storing a manifest: one transaction for its row, its descriptors, its tag and the events.

use super::super::blobs::{self, OwnBlob};
use super::super::document::{self, Document};
use super::super::{repositories, tags};
use super::{Condition, bundles, check};
use crate::app::App;
use crate::db::{self, Ask, Cause, EdgeKind, Tx, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::{Digest, Reference, TagName};
use crate::policy::{Allowed, BUILD_CACHE, Principal, PushImage};
use bytes::Bytes;
use std::collections::HashSet;
use uuid::Uuid;

/// What the answer to a push says.
pub struct Pushed {
    pub digest: Digest,
    pub subject: Option<Digest>,
    /// The image of a build that has a bundle now, so that it needs the server's too.
    pub bundled: Option<Digest>,
}

/// A manifest that somebody pushes.
#[derive(Clone)]
pub struct Push<'a> {
    pub allowed: &'a Allowed<PushImage>,
    pub content_type: &'a str,
    pub body: Bytes,
    /// What has to be stored before, or not.
    pub condition: Condition,
    /// Tags that a push by digest moves; none of them is one of signatures.
    pub tags: Vec<TagName>,
}

impl<'a> Push<'a> {
    /// One that is stored whatever is there.
    pub fn of(allowed: &'a Allowed<PushImage>, content_type: &'a str, body: Bytes) -> Self {
        Self { allowed, content_type, body, condition: Condition::default(), tags: Vec::new() }
    }

    /// Refuses the push unless what it moves is as the request wants it: its tags, or else what `reference` names.
    pub(super) async fn check(&self, c: &impl Ask, repository_id: Uuid, reference: &Reference) -> Result<()> {
        if !self.condition.is_any() {
            return Ok(());
        }
        let tags = match reference {
            Reference::Tag(tag) => std::slice::from_ref(tag),
            Reference::Digest(_) => self.tags.as_slice(),
        };
        for tag in tags {
            let current = db::tags::find(c, repository_id, tag.as_str()).await?.map(|tag| tag.digest);
            self.condition.check(current.as_deref())?;
        }
        if let (Reference::Digest(digest), []) = (reference, tags) {
            let current = db::manifests::find_facts(c, repository_id, digest.as_str()).await?.map(|facts| facts.digest);
            self.condition.check(current.as_deref())?;
        }
        Ok(())
    }

    /// Refuses tags of builds.
    pub(super) fn may_move(&self, tag: &TagName) -> Result<()> {
        let is_cache = self.allowed.on().name.namespace.as_str() == BUILD_CACHE;
        if self.allowed.principal().attempt_id().is_some() && !is_cache {
            // No unsigned moment, whatever a builder does: the server moves the tags when it has signed.
            let text = format!("a build pushes by digest, not to `{tag}`; the server signs and moves its tags");
            return Err(Error::Forbidden(text));
        }
        Ok(())
    }
}

/// Stores what `docker push` sends last, after its blobs. What goes to a tag beside an image is `accessories`' business.
pub async fn put(app: &App, push: &Push<'_>, reference: &Reference) -> Result<Pushed> {
    let document = document::parse_pushed(push.content_type, &push.body)?;
    let digest = match reference {
        Reference::Digest(asked) => Digest::by(asked.algorithm(), &push.body),
        Reference::Tag(_) => Digest::of(&push.body),
    };
    let tags = match reference {
        Reference::Digest(asked) if *asked != digest => {
            let text = format!("the manifest hashes to {digest}, not to {asked}");
            return Err(Error::registry(OciCode::DigestInvalid, text));
        }
        Reference::Digest(_) => push.tags.as_slice(),
        Reference::Tag(tag) => std::slice::from_ref(tag),
    };
    for tag in tags {
        push.may_move(tag)?;
    }
    app.room()?;
    // Before a repository is made for it, and again under the lock.
    push.check(&app.db, push.allowed.on().id, reference).await?;
    let by = push.allowed.principal();
    let repository = repositories::ensure(app, push.allowed).await?;
    let tx = app.db.begin().await?;
    db::repositories::lock(&tx, repository.id).await?;
    push.check(&tx, repository.id, reference).await?;
    insert(app, &tx, by, &repository, &document, &digest, &push.body).await?;
    let bundled = bundles::note(app, &tx, &repository, &document).await?;
    let title = push.allowed.on().name.to_string();
    repositories::make_live(app, &tx, by, &repository, &title).await?;
    for tag in tags {
        if tag.is_accessory() {
            return Err(Error::internal("storing a manifest", format!("nobody looked what `{tag}` has to keep")));
        }
        let origin = tags::Origin { cause: Cause::Push, build: None };
        tags::set(&tx, by, &repository, &title, tag, &digest, &origin, app.clock.now()).await?;
    }
    tx.commit().await?;
    app.wake.changed(repository.id);
    Ok(Pushed { digest, subject: document.subject, bundled })
}

/// Inserts a manifest of ours, with its blobs, in the caller's transaction: a signature.
pub async fn insert_own(
    app: &App,
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    own_blobs: &[OwnBlob],
    manifest: &Bytes,
    tag: Option<&TagName>,
) -> Result<Digest> {
    let now = app.clock.now();
    db::repositories::lock(tx, repository.id).await?;
    for own in own_blobs {
        let (blob, _) = blobs::name(app, tx, own, now).await?;
        db::blobs::link(tx, repository.id, blob.id, by.attempt_id(), now).await?;
    }
    let document = document::parse_own(manifest)?;
    let digest = Digest::of(manifest);
    insert(app, tx, by, repository, &document, &digest, manifest).await?;
    if let Some(tag) = tag {
        let namespace = db::namespaces::find(tx, repository.namespace_id).await?;
        let title = format!("{}/{}", namespace.map(|n| n.name).unwrap_or_default(), repository.name);
        let origin = tags::Origin { cause: Cause::Build, build: None };
        tags::set(tx, by, repository, &title, tag, &digest, &origin, now).await?;
    }
    Ok(digest)
}

pub(super) async fn insert(
    app: &App,
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    document: &Document,
    digest: &Digest,
    body: &Bytes,
) -> Result<()> {
    let found = check::references(tx, repository.id, document).await?;
    if let Some(known) = db::manifests::find_facts(tx, repository.id, digest.as_str()).await? {
        // The same bytes again: what is new is who pushed them, and as what.
        if let Some(attempt) = by.attempt_id() {
            db::manifests::set_attempt(tx, known.id, attempt).await?;
        }
        if (&known.media_type, &known.artifact_type) != (&document.media_type, &document.artifact_type) {
            db::manifests::set_type(tx, known.id, &document.media_type, document.artifact_type.as_deref()).await?;
        }
        return Ok(());
    }
    let row = rows::Manifest {
        id: Uuid::now_v7(),
        repository_id: repository.id,
        digest: digest.to_string(),
        media_type: document.media_type.clone(),
        artifact_type: document.artifact_type.clone(),
        subject_digest: document.subject.as_ref().map(ToString::to_string),
        bundle_of: bundles::subject(document).map(ToString::to_string),
        body: body.to_vec(),
        size_bytes: i64::try_from(body.len()).unwrap_or(i64::MAX),
        image_size_bytes: found.image_size_bytes,
        principal_kind: by.kind(),
        principal_id: by.id(),
        attempt_id: by.attempt_id(),
        created_at: app.clock.now(),
        platform_least_bytes: None,
        platform_most_bytes: None,
    };
    let (id, edges) = (row.id, edges(&row, document, &found.blobs));
    db::manifests::insert(tx, row, edges).await?;
    if document::is_index(&document.media_type)
        && let Some(sizes) = db::edges::platform_sizes(tx, repository.id, id).await?
    {
        db::manifests::note_platform_sizes(tx, id, sizes).await?;
    }
    Ok(())
}

/// A child that an index lists again is a row once: nobody asks where else it stands. A layer that comes again is one
/// more layer of the image.
fn edges<'a>(manifest: &rows::Manifest, document: &'a Document, blobs: &HashSet<Digest>) -> Vec<rows::Edge> {
    let mut children = HashSet::new();
    let edge = |(position, edge): (usize, &document::Edge)| rows::Edge {
        id: Uuid::now_v7(),
        manifest_id: manifest.id,
        repository_id: Some(manifest.repository_id),
        position: i64::try_from(position).unwrap_or(i64::MAX),
        kind: if edge.kind == EdgeKind::Manifest && blobs.contains(&edge.digest) { EdgeKind::Blob } else { edge.kind },
        digest: edge.digest.to_string(),
        media_type: edge.media_type.clone(),
        size_bytes: edge.size_bytes,
        platform: edge.platform.clone(),
    };
    let is_new =
        |(_, edge): &(usize, &'a document::Edge)| edge.kind != EdgeKind::Manifest || children.insert(&edge.digest);
    document.edges.iter().enumerate().filter(is_new).map(edge).collect()
}
