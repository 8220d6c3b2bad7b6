//! Tags of the form `sha256-<64 hex>…`: what cosign and clients of the referrers fallback keep beside an image.
//!
//! Only what they keep there may be put there, and only by pushing it: signatures with `.sig`, attestations with `.att`,
//! SBOMs with `.sbom`, or an index of what refers to the image. The image itself may come later. Without an ending the tag
//! may also name the image whose digest it spells, as `cosign copy` leaves it.

mod sound;

pub use sound::{MOST_BYTES, MOST_LAYERS, flaw, flaw_of};

use super::super::document::{self, Document};
use super::super::{repositories, tags};
use super::bundles;
use super::store::{Push, Pushed, insert};
use crate::app::App;
use crate::db::{self, Ask, Cause, EdgeKind, Tx};
use crate::error::{Error, OciCode, Result};
use crate::names::{Digest, Reference, TagName};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Layers that a push may neither drop nor change: signatures of ours.
#[derive(Debug, Default)]
pub struct Kept {
    /// What the tag named when they were looked up.
    pub seen: Option<String>,
    pub layers: Vec<Value>,
    /// The manifest that they stand in, when the tag no longer names one with any of them.
    pub elsewhere: Option<String>,
}

/// The media types of layers that cosign writes: signatures, attestations, bundles and SBOMs.
pub fn is_of_cosign(media_type: &str) -> bool {
    const TYPES: &[&str] = &[
        "application/vnd.dsse.envelope.v1+json",
        "application/vnd.in-toto+json",
        "application/vnd.syft+json",
        "application/spdx+json",
        "text/spdx",
        "text/spdx+json",
        "text/spdx+xml",
    ];
    const FAMILIES: &[&str] = &["application/vnd.dev.cosign.", bundles::BUNDLE_FAMILY, "application/vnd.cyclonedx"];
    TYPES.contains(&media_type) || FAMILIES.iter().any(|family| media_type.starts_with(family))
}

/// Stores what is pushed to such a tag. `None` when the tag names something else than `kept` was read from.
pub async fn put(app: &App, push: &Push<'_>, tag: &TagName, subject: &Digest, kept: &Kept) -> Result<Option<Pushed>> {
    let document = document::parse_pushed(push.content_type, &push.body)?;
    let digest = Digest::of(&push.body);
    push.may_move(tag)?;
    let names_itself = digest == *subject && tag.as_str() == format!("sha256-{}", subject.hex());
    if !names_itself {
        check_layers(&document, tag)?;
        check_subject(&document, tag, subject)?;
    }
    // The image itself holds no signature, so it must not replace one of ours.
    check_kept(&push.body, tag, kept)?;
    app.room()?;
    let reference = Reference::Tag(tag.clone());
    push.check(&app.db, push.allowed.on().id, &reference).await?;
    let by = push.allowed.principal();
    let repository = repositories::ensure(app, push.allowed).await?;
    let tx = app.db.begin().await?;
    db::repositories::lock(&tx, repository.id).await?;
    let present = db::tags::find(&tx, repository.id, tag.as_str()).await?.map(|present| present.digest);
    if present != kept.seen {
        return Ok(None);
    }
    push.check(&tx, repository.id, &reference).await?;
    if !names_itself {
        check_descriptors(&tx, repository.id, &document, &push.body, tag).await?;
        check_children(&tx, repository.id, &document, subject, tag).await?;
    }
    insert(app, &tx, by, &repository, &document, &digest, &push.body).await?;
    let bundled = bundles::note(app, &tx, &repository, &document).await?;
    let title = push.allowed.on().name.to_string();
    repositories::make_live(app, &tx, by, &repository, &title).await?;
    let origin = tags::Origin { cause: Cause::Push, build: None };
    tags::set(&tx, by, &repository, &title, tag, &digest, &origin, app.clock.now()).await?;
    tx.commit().await?;
    app.wake.changed(repository.id);
    Ok(Some(Pushed { digest, subject: document.subject, bundled }))
}

fn refuse(tag: &TagName, why: &str) -> Error {
    let rule = "tags of this form are for the signatures, attestations and SBOMs of an image";
    Error::registry(OciCode::ManifestInvalid, format!("`{tag}` cannot name this: {why}; {rule}"))
}

fn check_layers(document: &Document, tag: &TagName) -> Result<()> {
    if document.media_type == document::OCI_INDEX {
        let is_image = document.edges.iter().any(|edge| edge.platform.is_some());
        return if is_image { Err(refuse(tag, "it is an image")) } else { Ok(()) };
    }
    if !document::is_image(&document.media_type) {
        return Err(refuse(tag, &format!("its media type is `{}`", document.media_type)));
    }
    let mut layers = document.edges.iter().filter(|edge| edge.kind != EdgeKind::Config).peekable();
    if layers.peek().is_none() {
        return Err(refuse(tag, "it has no layers"));
    }
    match layers.find(|edge| !is_of_cosign(&edge.media_type)) {
        Some(other) => Err(refuse(tag, &format!("it holds a `{}`", other.media_type))),
        None => Ok(()),
    }
}

/// What refers to another image belongs beside that one.
fn check_subject(document: &Document, tag: &TagName, subject: &Digest) -> Result<()> {
    match document.subject.as_ref().filter(|named| *named != subject) {
        Some(other) => Err(refuse(tag, &format!("it refers to {other}"))),
        None => Ok(()),
    }
}

/// Nothing that keeps a client from reading the signatures beside it.
async fn check_descriptors(
    tx: &Tx,
    repository_id: Uuid,
    document: &Document,
    body: &[u8],
    tag: &TagName,
) -> Result<()> {
    if document.media_type == document::OCI_INDEX {
        return Ok(());
    }
    let sizes = sizes(tx, repository_id, document).await?;
    flaw(body, &sizes).map_or(Ok(()), |why| Err(refuse(tag, &why)))
}

/// The sizes of the blobs that a manifest names, of those that are here.
pub async fn sizes(c: &impl Ask, repository_id: Uuid, document: &Document) -> Result<HashMap<String, i64>> {
    let named: BTreeSet<String> = document.edges.iter().map(|edge| edge.digest.to_string()).collect();
    let named: Vec<String> = named.into_iter().collect();
    let found = db::blobs::find_all_linked(c, repository_id, &named).await?;
    Ok(found.into_values().map(|blob| (blob.digest, blob.size_bytes)).collect())
}

/// An index lists what refers to the image, and nothing else.
async fn check_children(
    tx: &Tx,
    repository_id: Uuid,
    document: &Document,
    subject: &Digest,
    tag: &TagName,
) -> Result<()> {
    if document.media_type != document::OCI_INDEX {
        return Ok(());
    }
    let children: Vec<String> = document.edges.iter().map(|edge| edge.digest.to_string()).collect();
    let referrers = db::manifests::subjects(tx, repository_id, &children).await?;
    let other = referrers.iter().find(|(_, of)| of.as_deref() != Some(subject.as_str()));
    if let Some((child, _)) = other {
        return Err(refuse(tag, &format!("{child} does not refer to {subject}")));
    }
    // What is no manifest may be a blob, which an index may list elsewhere; what is neither is refused as everywhere.
    let is_manifest: HashSet<&str> = referrers.iter().map(|(child, _)| child.as_str()).collect();
    let rest: Vec<String> = children.into_iter().filter(|child| !is_manifest.contains(child.as_str())).collect();
    let blobs = db::blobs::find_all_linked(tx, repository_id, &rest).await?;
    blobs.keys().next().map_or(Ok(()), |blob| Err(refuse(tag, &format!("{blob} is no manifest"))))
}

/// Whoever pushes adds signatures, and removes none of ours.
fn check_kept(body: &[u8], tag: &TagName, kept: &Kept) -> Result<()> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let new = body["layers"].as_array().map_or(&[][..], Vec::as_slice);
    // All of the descriptor: whatever stands in it beside the signature is read as well.
    if kept.layers.iter().all(|old| new.contains(old)) {
        return Ok(());
    }
    Err(Error::Conflict(match &kept.elsewhere {
        None => {
            format!("`{tag}` holds a signature of this registry that the push leaves out; pull it first and add to it")
        }
        Some(made) => format!(
            "this registry signed the image, and the push to `{tag}` leaves that signature out; push {made} there first and add to it"
        ),
    }))
}
