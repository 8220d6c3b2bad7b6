//! The signatures in one manifest.

use super::super::checks::{self, Claim, Finding, Key, Read, Until};
use super::super::signature;
use super::super::verdicts::{Known, Question};
use super::effort::Effort;
use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::names::{Digest, NamespaceName};
use crate::registry::manifests::accessories;
use crate::registry::{blobs, manifests};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// No more can be pushed at once; of what was there before, the rest is not looked at.
const MOST_LAYERS: usize = accessories::MOST_LAYERS;
/// The largest one that is read; cosign's own of 200 signatures has half of that.
const MOST_MANIFEST: i64 = 1 << 20;
/// Payloads and bundles that are in memory at once.
const MOST_HELD: usize = 1 << 20;

/// A layer that may be a signature.
struct Layer<'a> {
    descriptor: &'a Value,
    blob: Digest,
    limit: usize,
    read: Read,
}

pub(super) fn too_many() -> Finding {
    Finding::Unreadable("there are too many signatures to read at once".into())
}

/// Verifies the signatures in one manifest, and remembers what came out unless that can change: what is absent may come.
pub(super) async fn look(app: &App, question: &Question<'_>, effort: &mut Effort) -> Result<Known> {
    let repository_id = question.place.repository_id;
    let mut known = Known { finding: Finding::Nothing, at: app.clock.now() };
    if !effort.read() {
        return Ok(Known { finding: too_many(), ..known });
    }
    let digest = Digest::trusted(question.manifest);
    let Some(manifest) = manifests::find_small(app, repository_id, &digest, MOST_MANIFEST).await? else {
        if manifests::find_facts(app, repository_id, &digest).await?.is_some() {
            known.finding = Finding::Unreadable("the signature's manifest is too large".into());
        }
        return Ok(known);
    };
    let Ok(value) = serde_json::from_slice::<Value>(&manifest.body) else {
        known.finding = Finding::Unreadable("the signature's manifest cannot be read".into());
        app.verdicts.remember(question, &known);
        return Ok(known);
    };
    let mut look = Look { app, question, effort, best: Finding::Nothing, is_whole: true, last: None };
    look.at(&layers(app, question, &value)).await?;
    let (best, is_whole) = (look.best, look.is_whole);
    known.finding = best;
    if is_whole || matches!(known.finding, Finding::Verified(_)) {
        app.verdicts.remember(question, &known);
    }
    Ok(known)
}

/// The layers of the payload that the server signs for this image come first, then the newest: whatever others add to
/// the manifest, ours are found at once.
fn layers<'a>(app: &App, question: &Question<'_>, manifest: &'a Value) -> Vec<Layer<'a>> {
    let ours = Digest::of(&signature::payload_of(app, &question.place.name, question.subject));
    let layer = |descriptor: &'a Value| {
        let (limit, read) = descriptor["mediaType"].as_str().and_then(checks::of_type)?;
        let blob = descriptor["digest"].as_str()?.parse().ok()?;
        Some(Layer { descriptor, blob, limit, read })
    };
    let mut layers: Vec<_> = manifest["layers"].as_array().into_iter().flatten().rev().filter_map(layer).collect();
    layers.sort_by_key(|layer| layer.blob != ours);
    layers.truncate(MOST_LAYERS);
    layers
}

struct Look<'a> {
    app: &'a App,
    question: &'a Question<'a>,
    effort: &'a mut Effort,
    best: Finding,
    is_whole: bool,
    /// What was read last: many layers may name it.
    last: Option<(Digest, Option<Bytes>)>,
}

impl Look<'_> {
    async fn at(&mut self, layers: &[Layer<'_>]) -> Result<()> {
        let (mut claims, mut held) = (Vec::new(), 0);
        for (number, layer) in layers.iter().enumerate() {
            let is_last_of_its = layers.get(number + 1).is_none_or(|next| next.blob != layer.blob);
            if let Some(bytes) = self.bytes(layer).await? {
                if accessories::flaw_of(layer.descriptor, i64::try_from(bytes.len()).ok()).is_some() {
                    self.found(Finding::Unreadable(
                        "the signature is described wrongly, and no client reads it".into(),
                    ));
                } else {
                    match (layer.read)(&bytes, layer.descriptor, self.question.subject) {
                        Claim::Nothing => {}
                        Claim::Unreadable(why) => self.found(Finding::Unreadable(why)),
                        claim @ Claim::Signed { .. } => {
                            held += bytes.len();
                            claims.push(claim);
                        }
                    }
                }
            }
            // All that name our own payload at once, then as much as is held at once.
            if (is_last_of_its && layer.blob == layers[0].blob) || held > MOST_HELD || number + 1 == layers.len() {
                self.weigh(std::mem::take(&mut claims)).await?;
                held = 0;
                if matches!(self.best, Finding::Verified(_)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn found(&mut self, finding: Finding) {
        if finding > self.best {
            self.best = finding;
        }
    }

    /// What a layer names; `None` with what is to be said when it is not to be had.
    async fn bytes(&mut self, layer: &Layer<'_>) -> Result<Option<Bytes>> {
        if let Some((_, known)) = self.last.as_ref().filter(|(blob, _)| *blob == layer.blob) {
            return Ok(known.clone().filter(|bytes| bytes.len() <= layer.limit));
        }
        if !self.effort.read() {
            self.is_whole = false;
            self.found(too_many());
            return Ok(None);
        }
        let bytes = blobs::read_small(self.app, self.question.place.repository_id, &layer.blob, layer.limit).await?;
        if bytes.is_none() {
            self.is_whole = false;
            self.found(Finding::Unreadable("what was signed is absent or too large".into()));
        }
        self.last = Some((layer.blob.clone(), bytes.clone()));
        Ok(bytes)
    }

    /// Holds claims against the keys of this namespace, then against those of the namespaces that they name.
    async fn weigh(&mut self, claims: Vec<Claim>) -> Result<()> {
        if claims.is_empty() {
            return Ok(());
        }
        let own = self.question.keys.own.clone();
        let rest = self.hold(&own, claims).await?;
        if matches!(self.best, Finding::Verified(_)) || rest.is_empty() {
            return Ok(());
        }
        let place = self.question.place;
        let namespace_of = |claim: &Claim| {
            let name: NamespaceName = checks::other_namespace(place, claim)?.parse().ok()?;
            Some(name.to_string())
        };
        let names: BTreeSet<String> = rest.iter().filter_map(namespace_of).collect();
        let (mut foreign, nobodys): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|claim| namespace_of(claim).is_some());
        if !nobodys.is_empty() {
            self.found(Finding::Untrusted);
        }
        for namespace in names {
            if !self.effort.read() {
                self.is_whole = false;
                self.found(too_many());
                return Ok(());
            }
            let keys = checks::in_order(db::keys::of_name(&self.app.db, namespace.as_str()).await?);
            let (own, others): (Vec<_>, Vec<_>) =
                foreign.into_iter().partition(|claim| checks::other_namespace(place, claim) == Some(&*namespace));
            foreign = others;
            if !self.hold(&keys, own).await?.is_empty() {
                self.found(Finding::Untrusted);
            }
        }
        Ok(())
    }

    /// Returns the claims that none of the keys made.
    async fn hold(&mut self, keys: &Arc<[Key]>, claims: Vec<Claim>) -> Result<Vec<Claim>> {
        let most = self.effort.tries();
        let weighed = checks::weigh(self.question.place, keys, claims, most, Until::Verified).await?;
        self.effort.tried(weighed.tried, weighed.is_whole);
        let mut rest = Vec::new();
        for (claim, finding) in weighed.claims.into_iter().zip(weighed.findings) {
            match finding {
                Some(finding) => self.found(finding),
                None => rest.push(claim),
            }
        }
        if !weighed.is_whole {
            self.is_whole = false;
            self.found(too_many());
            return Ok(Vec::new());
        }
        Ok(rest)
    }
}
